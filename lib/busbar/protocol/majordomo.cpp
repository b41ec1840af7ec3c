#include "busbar/protocol/majordomo.hpp"

#include <array>

namespace busbar::protocol::majordomo {

namespace {

// In the order of Command; 0: the version has none.
using Codes = std::array<char, 6>;
constexpr Codes worker_codes_01{1, 2, 0, 3, 4, 5};
constexpr Codes worker_codes_02{1, 2, 3, 4, 5, 6};
constexpr Codes client_codes_02{0, 1, 2, 3, 0, 0};

constexpr std::string_view signature_of(Role role, Version version) noexcept {
  if (role == Role::client) return version == Version::v01 ? "MDPC01" : "MDPC02";
  return version == Version::v01 ? "MDPW01" : "MDPW02";
}

constexpr const Codes& codes_of(Role role, Version version) noexcept {
  if (role == Role::client) return client_codes_02;
  return version == Version::v01 ? worker_codes_01 : worker_codes_02;
}

/// Whether the command is one that this role sends to the broker, or the broker to it.
constexpr bool goes_there(Role role, Command command, bool to_broker) noexcept {
  switch (command) {
    case Command::ready:
      return to_broker;
    case Command::request:
      return to_broker == (role == Role::client);
    case Command::partial:
    case Command::final:
      return to_broker == (role == Role::worker);
    default:
      return true;
  }
}

struct Signature {
  Role role;
  Version version;
};

std::optional<Signature> signature_in(std::string_view frame) noexcept {
  if (frame.size() != 6 || frame.substr(0, 3) != "MDP" || frame[4] != '0') return {};
  if ((frame[3] != 'C' && frame[3] != 'W') || (frame[5] != '1' && frame[5] != '2')) return {};
  return Signature{frame[3] == 'C' ? Role::client : Role::worker,
                   frame[5] == '1' ? Version::v01 : Version::v02};
}

std::size_t behind_envelope(const Multipart& frames, std::size_t first) noexcept {
  return first < frames.size() && frames[first].size() == 0 ? first + 1 : first;
}

std::optional<Command> command_in(const Codes& codes, std::string_view frame) noexcept {
  if (frame.size() != 1 || frame[0] == 0) return {};
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] == frame[0]) return static_cast<Command>(i);
  }
  return {};
}

constexpr bool is_service(std::string_view name) noexcept {
  return !name.empty() && name.size() <= service_bytes_max;
}

/// Reads from the subject on, which stands at `at`. False: malformed.
bool read_rest(const Multipart& frames, std::size_t at, Message& message) noexcept {
  const std::size_t left = frames.size() - at;
  message.subject = at;
  message.body = frames.size();
  if (message.role == Role::client || message.command == Command::ready) {
    if (left == 0 || !is_service(frames.text(at))) return false;
    message.body = at + 1;
    return (message.role == Role::client) == (left > 1);
  }
  if (message.command == Command::heartbeat || message.command == Command::disconnect) {
    return left == 0;
  }
  message.body = at + 2;
  const bool gives_up = left == 2 && message.command == Command::final;
  return (left > 2 || gives_up) && frames[at].size() > 0 && frames[at + 1].size() == 0;
}

}  // namespace

std::optional<Message> read(const Multipart& frames, std::size_t first, bool to_broker) noexcept {
  std::size_t at = behind_envelope(frames, first);
  if (at >= frames.size()) return {};
  const auto signature = signature_in(frames.text(at));
  if (!signature) return {};
  Message message{.role = signature->role, .dialect = {signature->version, at > first}};
  ++at;
  if (message.role == Role::client && message.dialect.version == Version::v01) {
    message.command = to_broker ? Command::request : Command::final;
  } else {
    if (at >= frames.size()) return {};
    const auto command =
        command_in(codes_of(message.role, message.dialect.version), frames.text(at));
    if (!command || !goes_there(message.role, *command, to_broker)) return {};
    message.command = *command;
    ++at;
  }
  if (!read_rest(frames, at, message)) return {};
  return message;
}

std::optional<Role> role_of(const Multipart& frames, std::size_t first) noexcept {
  const std::size_t at = behind_envelope(frames, first);
  if (at >= frames.size()) return {};
  const auto signature = signature_in(frames.text(at));
  return signature ? std::optional(signature->role) : std::nullopt;
}

void put_head(Multipart& frames, Role role, Dialect dialect, Command command) {
  if (dialect.enveloped) frames.push_back(std::string_view{});
  frames.push_back(signature_of(role, dialect.version));
  if (role == Role::client && dialect.version == Version::v01) return;
  const char& code = codes_of(role, dialect.version)[static_cast<std::size_t>(command)];
  frames.push_back(std::string_view{&code, 1});
}

void put_command(Multipart& frames, Dialect dialect, Command command, std::string_view service) {
  put_head(frames, Role::worker, dialect, command);
  if (command == Command::ready) frames.push_back(service);
}

}  // namespace busbar::protocol::majordomo

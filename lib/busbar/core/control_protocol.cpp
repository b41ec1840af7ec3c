#include <algorithm>
#include <array>
#include <charconv>

#include <busbar/core/control_protocol.hpp>
#include <busbar/core/error.hpp>
#include <busbar/core/internal/ledger_codec.hpp>

namespace busbar::control {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds longest_deadline = std::chrono::hours(24);
constexpr std::size_t text_max = 1024;  // of the line that goes with a refusal
constexpr std::array commands{Command::status, Command::pause, Command::resume, Command::drain,
                              Command::stop};
constexpr std::array statuses{Status::ok, Status::malformed, Status::unknown_command};

bool takes_deadline(Command command) noexcept { return command == Command::drain; }

/// Decimal digits and nothing else, at most a day.
std::optional<milliseconds> parse_deadline(std::string_view text) noexcept {
  std::uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stopped != end || milliseconds{value} > longest_deadline) return {};
  return milliseconds{value};
}

Decoded refuse(Status status, std::string text) { return {{}, {status, std::move(text), {}}}; }

Decoded malformed(std::string text) { return refuse(Status::malformed, std::move(text)); }

[[noreturn]] void no_reply(std::string cause) {
  throw Error(ErrorKind::refused, "read control reply", std::move(cause),
              "is this the control endpoint of a Busbar device?");
}

}  // namespace

std::string_view name_of(Command command) noexcept {
  switch (command) {
    case Command::status:
      return "status";
    case Command::pause:
      return "pause";
    case Command::resume:
      return "resume";
    case Command::drain:
      return "drain";
    case Command::stop:
      return "stop";
  }
  return "";
}

Multipart encode(const Request& request) {
  std::string deadline;
  if (request.deadline && takes_deadline(request.command)) {
    if (*request.deadline < milliseconds::zero() || *request.deadline > longest_deadline) {
      throw Error(ErrorKind::usage, std::string(name_of(request.command)),
                  "a deadline of " + std::to_string(request.deadline->count()) + " ms",
                  "from 0 to 86400000, which is a day");
    }
    deadline = std::to_string(request.deadline->count());
  }
  return {signature, name_of(request.command), deadline};
}

Multipart encode(const Reply& reply) {
  const std::string code = std::to_string(static_cast<int>(reply.status));
  const std::string body = reply.status == Status::ok ? detail::pack_ledgers(reply.ledgers)
                                                      : printable(reply.text, text_max);
  return {signature, code, body};
}

Decoded decode_request(const Multipart& message) {
  if (message.size() != 3) {
    return malformed(std::to_string(message.size()) +
                     " frames; wanted 3: signature, command, deadline");
  }
  if (message.text(0) != signature) {
    return malformed("signature '" + printable(message.text(0)) + "'; wanted " +
                     std::string(signature));
  }
  const std::string_view name = message.text(1);
  const auto* const command =
      std::find_if(commands.begin(), commands.end(), [&](Command c) { return name_of(c) == name; });
  if (command == commands.end()) {
    return refuse(Status::unknown_command, "unknown command '" + printable(name) +
                                               "'; one of status, pause, resume, drain, stop");
  }
  Request request{*command, {}};
  if (const std::string_view deadline = message.text(2); !deadline.empty()) {
    if (!takes_deadline(*command)) return malformed(std::string(name) + " takes no deadline");
    request.deadline = parse_deadline(deadline);
    if (!request.deadline) {
      return malformed("deadline '" + printable(deadline) +
                       "'; wanted milliseconds, 0 to 86400000");
    }
  }
  return {request, {}};
}

Reply decode_reply(const Multipart& message) {
  if (message.size() != 3) no_reply(std::to_string(message.size()) + " frames; wanted 3");
  if (message.text(0) != signature) {
    no_reply("signature '" + printable(message.text(0)) + "'; wanted " + std::string(signature));
  }
  const std::string_view code = message.text(1);
  const auto* const status = std::find_if(statuses.begin(), statuses.end(), [&](Status s) {
    return std::to_string(static_cast<int>(s)) == code;
  });
  if (status == statuses.end()) no_reply("unknown code '" + printable(code) + "'");
  if (*status != Status::ok) return {*status, printable(message.text(2), text_max), {}};
  return {Status::ok, {}, detail::unpack_ledgers(message.text(2))};
}

}  // namespace busbar::control

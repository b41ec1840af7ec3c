#include "busbar/protocol/zre.hpp"

#include <algorithm>
#include <cassert>

#include <busbar/core/internal/random_id.hpp>

namespace busbar {

namespace {

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

PeerId PeerId::random() {
  PeerId id;
  for (std::size_t i = 0; i < id.bytes.size(); i += 8) {
    const std::uint64_t drawn = detail::random_id();
    for (std::size_t j = 0; j < 8; ++j) {
      id.bytes[i + j] = static_cast<std::uint8_t>(drawn >> (8 * j));
    }
  }
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

std::optional<PeerId> PeerId::parse(std::string_view text) {
  PeerId id;
  if (text.size() != 2 * id.bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    const int high = digit_of(text[2 * i]);
    const int low = digit_of(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id.bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return id;
}

std::optional<PeerId> PeerId::from_bytes(std::string_view octets) {
  PeerId id;
  if (octets.size() != id.bytes.size()) return std::nullopt;
  std::transform(octets.begin(), octets.end(), id.bytes.begin(),
                 [](char c) { return static_cast<std::uint8_t>(c); });
  return id;
}

std::string PeerId::str() const {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string text;
  for (const std::uint8_t byte : bytes) text += {digits[byte >> 4], digits[byte & 15]};
  return text;
}

}  // namespace busbar

namespace busbar::protocol::zre {

namespace {

constexpr std::string_view signature = "\xAA\xA1";
constexpr std::uint8_t version = 2;
constexpr std::string_view beacon_signature{"ZRE\x01", 4};
constexpr std::uint8_t first_foreign_command = 8;  // ELECT, LEADER; 10 is GOODBYE
constexpr std::uint8_t goodbye_command = 10;

/// Numbers in network byte order, strings behind their lengths.
struct Writer {
  void number(std::uint64_t value, std::size_t size) {
    while (size > 0) out += static_cast<char>(value >> (8 * --size));
  }
  void string(std::string_view text) {
    assert(text.size() <= string_bytes);
    number(text.size(), 1);
    out += text;
  }
  void long_string(std::string_view text) {
    number(text.size(), 4);
    out += text;
  }
  std::string out = {};
};

/// Once something is missing, `good` is false and every further value is empty.
struct Reader {
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (const char c : bytes(size)) value = (value << 8) | static_cast<std::uint8_t>(c);
    return value;
  }
  std::string string() { return std::string{bytes(number(1))}; }
  std::string long_string() { return std::string{bytes(number(4))}; }
  std::string_view bytes(std::size_t size) {
    if (size > left.size()) good = false;
    if (!good) return {};
    const std::string_view taken = left.substr(0, size);
    left.remove_prefix(size);
    return taken;
  }
  std::string_view left;
  bool good = true;
};

void write(Writer& to, const Hello& hello) {
  to.string(hello.endpoint);
  to.number(hello.groups.size(), 4);
  for (const std::string& group : hello.groups) to.long_string(group);
  to.number(hello.status, 1);
  to.string(hello.name);
  to.number(hello.headers.size(), 4);
  for (const auto& [name, value] : hello.headers) {
    to.string(name);
    to.long_string(value);
  }
}
void write(Writer& to, const Shout& shout) { to.string(shout.group); }
void write(Writer& to, const Join& join) {
  to.string(join.group);
  to.number(join.status, 1);
}
void write(Writer& to, const Leave& leave) {
  to.string(leave.group);
  to.number(leave.status, 1);
}
template <class Without>
void write(Writer&, const Without&) {}

Hello read_hello(Reader& from) {
  Hello hello{.endpoint = from.string()};
  // Every turn takes four bytes at least, or ends it: the count allocates nothing by itself.
  for (std::uint64_t count = from.number(4); count > 0 && from.good; --count) {
    hello.groups.push_back(from.long_string());
  }
  hello.status = static_cast<std::uint8_t>(from.number(1));
  hello.name = from.string();
  for (std::uint64_t count = from.number(4); count > 0 && from.good; --count) {
    std::string name = from.string();
    hello.headers.emplace_back(std::move(name), from.long_string());
  }
  return hello;
}

template <class Change>
Change read_change(Reader& from) {
  Change change{.group = from.string()};
  change.status = static_cast<std::uint8_t>(from.number(1));
  return change;
}

std::optional<Body> read_body(std::uint8_t command, Reader& from) {
  switch (command) {
    case 1:
      return read_hello(from);
    case 2:
      return Whisper{};
    case 3:
      return Shout{from.string()};
    case 4:
      return read_change<Join>(from);
    case 5:
      return read_change<Leave>(from);
    case 6:
      return Ping{};
    case 7:
      return PingOk{};
    case first_foreign_command:
    case first_foreign_command + 1:
      return Election{command};
    case goodbye_command:
      return Goodbye{};
    default:
      return std::nullopt;
  }
}

std::uint8_t command_of(const Body& body) {
  if (const auto* election = std::get_if<Election>(&body)) return election->command;
  if (std::holds_alternative<Goodbye>(body)) return goodbye_command;
  return static_cast<std::uint8_t>(body.index() + 1);
}

}  // namespace

std::string encode(const Beacon& beacon) {
  Writer to{std::string{beacon_signature}};
  to.out += beacon.id.octets();
  to.number(beacon.port, 2);
  return to.out;
}

std::optional<Beacon> decode_beacon(std::string_view datagram) {
  if (datagram.size() != beacon_bytes || !datagram.starts_with(beacon_signature)) {
    return std::nullopt;
  }
  Reader from{datagram.substr(beacon_signature.size())};
  const auto id = PeerId::from_bytes(from.bytes(16));
  return Beacon{*id, static_cast<std::uint16_t>(from.number(2))};
}

std::string encode(const Message& message) {
  Writer to{std::string{signature}};
  to.number(command_of(message.body), 1);
  to.number(version, 1);
  to.number(message.sequence, 2);
  std::visit([&](const auto& body) { write(to, body); }, message.body);
  return to.out;
}

std::optional<Message> decode(std::string_view frame) {
  if (!frame.starts_with(signature)) return std::nullopt;
  Reader from{frame.substr(signature.size())};
  const auto command = static_cast<std::uint8_t>(from.number(1));
  if (from.number(1) != version) return std::nullopt;
  const auto sequence = static_cast<std::uint16_t>(from.number(2));
  if (!from.good || (command == 1 && frame.size() > hello_bytes)) return std::nullopt;
  auto body = read_body(command, from);
  if (!body || !from.good) return std::nullopt;
  std::optional<Message> message{std::in_place};
  message->sequence = sequence;
  message->body = std::move(*body);
  return message;
}

std::string routing_id(const PeerId& id) { return '\1' + std::string{id.octets()}; }

std::optional<PeerId> id_of(std::string_view routing_id) {
  if (!routing_id.starts_with('\1')) return std::nullopt;
  return PeerId::from_bytes(routing_id.substr(1));
}

bool follows(std::uint16_t last, std::uint16_t next) noexcept {
  return next == static_cast<std::uint16_t>(last + 1) || (last == 65534 && next == 0);
}

}  // namespace busbar::protocol::zre

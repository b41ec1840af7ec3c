/// The frames of 36/ZRE version 2 (https://rfc.zeromq.org/spec/36), by which peers find each other.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <busbar/protocol/header.hpp>

namespace busbar {

/// Who a peer is: 16 octets, drawn when it starts. So a restart is seen.
struct PeerId {
  std::array<std::uint8_t, 16> bytes = {};

  /// A new one from the system's random numbers (RFC 4122, version 4).
  static PeerId random();
  /// 32 hexadecimal digits, in either case. Empty: it is something else.
  static std::optional<PeerId> parse(std::string_view text);
  /// 16 octets. Empty: so many are not there.
  static std::optional<PeerId> from_bytes(std::string_view octets);

  /// 32 hexadecimal digits, as other implementations show it: `1F0C…`.
  std::string str() const;
  std::string_view octets() const noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  friend auto operator<=>(const PeerId&, const PeerId&) = default;
};

}  // namespace busbar

/// Good for ids that were drawn, as all are; others only make a table slower.
template <>
struct std::hash<busbar::PeerId> {
  std::size_t operator()(const busbar::PeerId& id) const noexcept {
    return std::hash<std::string_view>{}(id.octets());
  }
};

namespace busbar::protocol::zre {

inline constexpr std::uint16_t beacon_port = 5670;  ///< Of UDP, assigned by IANA.
inline constexpr std::size_t beacon_bytes = 22;
/// Longest endpoint, name, group and name of a header, in bytes.
inline constexpr std::size_t string_bytes = 255;
/// Longest HELLO that is taken, in bytes: its groups and headers are kept for each peer.
inline constexpr std::size_t hello_bytes = 256u << 10;
/// Most groups of one node.
inline constexpr std::size_t groups_max = 1000;

/// What is broadcast again and again. Port 0: the node leaves.
struct Beacon {
  PeerId id;
  std::uint16_t port = 0;
};
std::string encode(const Beacon& beacon);
/// Empty: not a beacon of version 1.
std::optional<Beacon> decode_beacon(std::string_view datagram);

/// The first on each connection, with sequence 1.
struct Hello {
  std::string endpoint = {};  ///< Where the sender takes connections.
  std::vector<std::string> groups = {};
  std::uint8_t status = 0;  ///< Rises by one whenever the sender joins or leaves a group.
  std::string name = {};
  Headers headers = {};
};
struct Whisper {};  ///< Frames with the content follow.
struct Shout {      ///< Frames with the content follow.
  std::string group = {};
};
struct Join {
  std::string group = {};
  std::uint8_t status = 0;  ///< After it.
};
struct Leave {
  std::string group = {};
  std::uint8_t status = 0;  ///< After it.
};
struct Ping {};
struct PingOk {};
/// ELECT (8) and LEADER (9) of Zyre, which RFC 36 has not: they count in the sequence.
struct Election {
  std::uint8_t command = 8;
};
/// Of Zyre (10), which RFC 36 has not: the sender leaves.
struct Goodbye {};

using Body = std::variant<Hello, Whisper, Shout, Join, Leave, Ping, PingOk, Election, Goodbye>;

struct Message {
  std::uint16_t sequence = 0;  ///< From 1 on each connection; 0 follows 65535.
  Body body;
};

/// The first frame. Requires strings of at most string_bytes; Election has no fields.
std::string encode(const Message& message);
/// Reads the first frame. Empty: no signature, another version, an unknown command, or truncated.
/// What is behind the fields is passed over.
std::optional<Message> decode(std::string_view frame);

/// The routing id of a node's connections: 01 and its UUID.
std::string routing_id(const PeerId& id);
/// Empty: no such routing id.
std::optional<PeerId> id_of(std::string_view routing_id);

/// Whether `next` may stand behind `last`. Pyre counts modulo 65535: 0 may follow 65534 too.
bool follows(std::uint16_t last, std::uint16_t next) noexcept;

}  // namespace busbar::protocol::zre

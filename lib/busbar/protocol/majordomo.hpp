/// The frames of Majordomo, services by name: ZeroMQ RFC 7 (MDP 0.1) and RFC 18 (MDP 0.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <busbar/core/limits.hpp>
#include <busbar/core/multipart.hpp>

namespace busbar::protocol::majordomo {

enum class Version : std::uint8_t { v01, v02 };
/// Whose protocol a message is in: the one that clients, or that workers, speak with the broker.
enum class Role : std::uint8_t { client, worker };
/// What 0.1 calls REPLY is `final`. An 0.1 client's messages have no command: each is a `request`
/// on its way to the broker, and a `final` on its way back.
enum class Command : std::uint8_t { ready, request, partial, final, heartbeat, disconnect };

/// How a peer speaks. By the RFCs 0.1 begins with an empty frame and 0.2 does not; as libraries
/// stray from that, both are taken either way, and a peer is answered in the envelope it uses.
struct Dialect {
  Version version = Version::v02;
  bool enveloped = false;
  bool operator==(const Dialect&) const = default;
};
constexpr Dialect dialect_of(Version version) noexcept {
  return {version, version == Version::v01};
}

/// A message that was read: where its parts stand among the frames.
struct Message {
  Role role = Role::client;
  Dialect dialect = {};
  Command command = Command::request;
  /// The service (all of a client's, READY), or the client's address (the other commands with a
  /// body).
  std::size_t subject = 0;
  /// The first frame of the body, which has one at least; frames.size() where there is none. Of a
  /// worker FINAL without a body says that there will be no answer: no RFC's, see lib/WIRE.md.
  std::size_t body = 0;
};

/// In front of a body: routing id, empty frame, signature, command, address, empty frame.
inline constexpr std::size_t head_frames_max = 6;
inline constexpr std::size_t body_frames_max = limits::frames - head_frames_max;

/// Requests that a worker has at a time at most.
inline constexpr std::size_t requests_max = 1000;

/// Longest name of a service, in bytes.
inline constexpr std::size_t service_bytes_max = 255;

/// Reads the frames from `first` on (behind a ROUTER's routing id). Empty: malformed. `to_broker`:
/// on the way from a client or a worker, else to one.
std::optional<Message> read(const Multipart& frames, std::size_t first, bool to_broker) noexcept;
/// Whose protocol the frames claim to be, however malformed; empty: neither's.
std::optional<Role> role_of(const Multipart& frames, std::size_t first) noexcept;

/// Appends what stands in front of the subject. Not for what a version does not have: PARTIAL in
/// 0.1.
void put_head(Multipart& frames, Role role, Dialect dialect, Command command);
/// Appends a worker's or a broker's READY (with a service), HEARTBEAT or DISCONNECT.
void put_command(Multipart& frames, Dialect dialect, Command command,
                 std::string_view service = {});

/// RFC 8, MMI: names of services that the broker itself answers for.
inline constexpr std::string_view mmi_prefix = "mmi.";
inline constexpr std::string_view mmi_service = "mmi.service";

}  // namespace busbar::protocol::majordomo

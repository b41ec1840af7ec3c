/// The frames of workers that say when they are free: ZeroMQ RFC 6 (Paranoid Pirate, PPP), and the
/// guide's Simple Pirate, whose workers are REQ sockets.
#pragma once

#include <cstddef>
#include <string_view>

#include <busbar/core/multipart.hpp>

namespace busbar::protocol::pirate {

enum class Command { malformed, ready, heartbeat, reply };

/// What a worker said.
struct Message {
  bool enveloped = false;  ///< From a REQ socket (Simple Pirate), which gets no heartbeats.
  Command command = Command::malformed;
  std::size_t client = 0;  ///< reply: the client's address; an empty frame and the body follow.
};

inline constexpr std::string_view ready_code{"\1", 1};
inline constexpr std::string_view heartbeat_code{"\2", 1};

/// Reads a worker's frames from `first` on, behind the routing id. A Simple Pirate's READY may be
/// that word too, as in the guide's older programs.
inline Message read(const Multipart& frames, std::size_t first) noexcept {
  if (first >= frames.size()) return {};
  const bool enveloped = frames[first].size() == 0;
  const std::size_t at = first + (enveloped ? 1 : 0);
  if (at >= frames.size()) return {};
  const std::string_view said = frames.text(at);
  if (at + 1 < frames.size()) {
    return said.empty() ? Message{} : Message{enveloped, Command::reply, at};
  }
  if (said == ready_code || (enveloped && said == "READY")) return {enveloped, Command::ready};
  if (said == heartbeat_code && !enveloped) return {enveloped, Command::heartbeat};
  return {};
}

}  // namespace busbar::protocol::pirate

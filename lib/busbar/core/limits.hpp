/// Every limit that Busbar puts on what a peer may send, in one place.
#pragma once

#include <cstddef>

namespace busbar::limits {

/// Longest topic, in bytes. libzmq 4.3.4 mis-encodes subscriptions of 246 to 255 bytes.
inline constexpr std::size_t topic_bytes = 240;
/// Largest frame, in bytes (ZMQ_MAXMSGSIZE). A larger one closes the peer's connection. A device
/// refuses messages of more than message_bytes + header_bytes in all.
inline constexpr std::size_t message_bytes = 64u << 20;
/// What a message may have beyond one frame of message_bytes (topic, headers, envelope), in bytes.
inline constexpr std::size_t header_bytes = 64u << 10;
/// Most frames in one message, the envelope included.
inline constexpr std::size_t frames = 64;
/// Deepest nesting of arrays and maps in msgpack that comes from outside.
inline constexpr std::size_t msgpack_depth = 32;

}  // namespace busbar::limits

/// A publisher's message as it stands in a ZeroMQ frame: topic, header and payload. lib/WIRE.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <busbar/core/multipart.hpp>
#include <busbar/protocol/header.hpp>

namespace busbar::protocol {

/// Views refer to the frame.
struct MessageFrame {
  std::string_view topic;
  Header header;
  std::string_view payload;  ///< Of a batch: its records.
};

/// One frame, as libzmq takes as long for each frame as for all else that it does with a small
/// message.
Frame encode_message(std::string_view topic, const Header& header, std::string_view payload);
/// The header of `message` as it stands, between another topic and payload.
Frame with_header_of(const MessageFrame& message, std::string_view topic, std::string_view payload);

/// Where the header begins. npos: there is none, it is a stock publisher's message.
std::size_t header_place(std::string_view frame) noexcept;
/// `place` as header_place answers it. Empty: no header, or one that is broken or of another
/// version.
std::optional<MessageFrame> decode_message(std::string_view frame, std::size_t place);
inline std::optional<MessageFrame> decode_message(std::string_view frame) {
  return decode_message(frame, header_place(frame));
}

/// The topic in front of a header; where there is none, all of the frame.
inline std::string_view topic_of(std::string_view frame) noexcept {
  return frame.substr(0, header_place(frame));
}
/// How many messages a frame holds: 1 for whatever is no batch. `place` as header_place answers it.
std::uint32_t messages_in(std::string_view frame, std::size_t place) noexcept;
inline std::uint32_t messages_in(std::string_view frame) noexcept {
  return messages_in(frame, header_place(frame));
}

}  // namespace busbar::protocol

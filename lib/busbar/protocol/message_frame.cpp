#include "busbar/protocol/message_frame.hpp"

#include <algorithm>
#include <cstring>

#include <busbar/core/limits.hpp>

namespace busbar::protocol {

namespace {

/// A payload of a stock publisher may have the signature's byte by chance; hardly the next one.
bool is_array(char first) noexcept { return (static_cast<unsigned char>(first) & 0xf0) == 0x90; }

Frame joined(std::string_view topic, std::string_view header, std::string_view payload) {
  Frame frame{topic.size() + header.size() + payload.size()};
  char* at = static_cast<char*>(frame.data());
  for (const std::string_view part : {topic, header, payload}) {
    if (!part.empty()) std::memcpy(at, part.data(), part.size());
    at += part.size();
  }
  return frame;
}

}  // namespace

Frame encode_message(std::string_view topic, const Header& header, std::string_view payload) {
  if (!header.headers.empty()) return joined(topic, encode(header), payload);
  char bytes[short_header_size];
  return joined(topic, {bytes, encode_short(header, bytes)}, payload);
}

Frame with_header_of(const MessageFrame& message, std::string_view topic,
                     std::string_view payload) {
  const char* const header = message.topic.data() + message.topic.size();
  const auto size = static_cast<std::size_t>(message.payload.data() - header);
  return joined(topic, {header, size}, payload);
}

std::size_t header_place(std::string_view frame) noexcept {
  // One byte more is to be there, the array's.
  const std::size_t end = std::min(frame.size(), limits::topic_bytes + 2);
  for (std::size_t at = 0; at + 1 < end; ++at) {
    const void* found = std::memchr(frame.data() + at, header_signature, end - at - 1);
    if (found == nullptr) break;
    at = static_cast<std::size_t>(static_cast<const char*>(found) - frame.data());
    if (is_array(frame[at + 1])) return at;
  }
  return std::string_view::npos;
}

std::optional<MessageFrame> decode_message(std::string_view frame, std::size_t place) {
  if (place == std::string_view::npos) return std::nullopt;
  std::string_view rest = frame.substr(place);
  auto header = take_header(rest);
  if (!header) return std::nullopt;
  return MessageFrame{frame.substr(0, place), std::move(*header), rest};
}

std::uint32_t messages_in(std::string_view frame, std::size_t place) noexcept {
  return place == std::string_view::npos ? 1 : messages_behind(frame.substr(place));
}

}  // namespace busbar::protocol

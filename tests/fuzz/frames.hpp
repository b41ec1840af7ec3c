/// Several messages of several frames in one input.
#pragma once

#include <algorithm>
#include <string_view>

#include <busbar/core/multipart.hpp>

namespace busbar::fuzz {

// What stands between the messages of an input, and between their frames.
inline constexpr char message_end = '\x1d';
inline constexpr char frame_end = '\x1e';

/// Takes what is before the next `end` off the front of `bytes`, and `end` itself.
inline std::string_view take(std::string_view& bytes, char end) {
  const std::string_view part = bytes.substr(0, bytes.find(end));
  bytes.remove_prefix(std::min(part.size() + 1, bytes.size()));
  return part;
}

inline Multipart frames_of(std::string_view bytes) {
  Multipart message;
  do message.push_back(take(bytes, frame_end));
  while (!bytes.empty());
  return message;
}

}  // namespace busbar::fuzz

#include "busbar/patterns/message.hpp"

namespace busbar {

const Headers& Message::headers() const noexcept {
  static const Headers none;
  return headers_ ? *headers_ : none;
}

std::string_view Message::header(std::string_view name) const noexcept {
  for (const auto& [key, value] : headers()) {
    if (key == name) return value;
  }
  return {};
}

void Message::set_headers(Headers headers) {
  headers_ = headers.empty() ? nullptr : std::make_shared<const Headers>(std::move(headers));
}

std::chrono::system_clock::time_point Message::time() const noexcept {
  return std::chrono::system_clock::time_point{std::chrono::microseconds{time_}};
}

void Message::set_origin(const protocol::Header& header, std::uint64_t sequence) noexcept {
  publisher_ = header.publisher;
  stream_ = header.stream;
  sequence_ = sequence;
  time_ = header.time;
}

}  // namespace busbar

#include "busbar/patterns/internal/arrival.hpp"

namespace busbar::detail {

std::optional<Arrival> Arrival::from(Multipart&& frames) {
  if (frames.empty()) return std::nullopt;
  Arrival arrival{std::move(frames)};
  const Multipart& parts = *arrival.frames_;
  const bool headed = parts.size() > 1 && parts.text(1).starts_with(protocol::header_signature);
  if (!headed) {
    arrival.payload_ = parts.text(parts.size() > 1 ? 1 : 0);
    return arrival;
  }
  auto header = protocol::decode_header(parts.text(1));
  if (!header || parts.size() != 3) return std::nullopt;
  arrival.header_ = std::move(*header);
  arrival.at_ = arrival.header_.sequence;
  arrival.payload_ = parts.text(2);
  arrival.reader_ = protocol::BatchReader{arrival.payload_};
  return arrival;
}

std::optional<Message> Arrival::next() {
  if (at_ == end()) return std::nullopt;
  if (header_.batch == 0) {
    Message message{frames_, topic(), payload_};
    if (has_header()) {
      message.set_origin(header_, at_);
      message.set_headers(std::move(header_.headers));
    }
    ++at_;
    return message;
  }
  Headers headers;
  for (; at_ < end(); ++at_) {
    const auto payload = reader_.next(headers);
    if (!payload) return std::nullopt;
    if (at_ < start_) continue;
    Message message{frames_, topic(), *payload};
    message.set_origin(header_, at_++);
    if (!headers.empty()) message.set_headers(std::move(headers));
    return message;
  }
  return std::nullopt;
}

}  // namespace busbar::detail

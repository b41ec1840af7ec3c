#include "busbar/patterns/internal/arrival.hpp"

#include <busbar/protocol/message_frame.hpp>

namespace busbar::detail {

std::shared_ptr<const Arrival::Owned> Arrival::take(Multipart& frames) {
  auto owned = std::make_shared<Owned>();
  owned->first.move(frames[0]);
  for (std::size_t i = 1; i < frames.size(); ++i) owned->others.push_back(std::move(frames[i]));
  return owned;
}

Arrival::Arrival(Multipart& frames)
    : bytes_(frames.bytes()),
      frames_(take(frames)),
      topic_(text(frames_->first)),
      payload_(frames_->others.empty() ? topic_ : text(frames_->others[0])),
      reader_(payload_) {}

std::optional<Arrival> Arrival::from(Multipart& frames) {
  if (frames.empty()) return std::nullopt;
  const std::size_t place =
      frames.size() == 1 ? protocol::header_place(frames.text(0)) : std::string_view::npos;
  if (place == std::string_view::npos) return Arrival{frames};
  auto read = protocol::decode_message(frames.text(0), place);
  if (!read) return std::nullopt;
  Arrival arrival{frames};
  // Small frames have their bytes within themselves, so these have moved.
  arrival.payload_ = arrival.topic_.substr(arrival.topic_.size() - read->payload.size());
  arrival.topic_ = arrival.topic_.substr(0, place);
  arrival.reader_ = protocol::BatchReader{arrival.payload_};
  arrival.header_ = std::move(read->header);
  arrival.at_ = arrival.header_.sequence;
  return arrival;
}

bool Arrival::next(std::optional<Message>& message) {
  if (at_ == end()) return false;
  if (header_.batch == 0) {
    message.emplace(frames_, topic(), payload_);
    message->set_further(std::span{frames_->others}.subspan(frames_->others.empty() ? 0 : 1));
    if (has_header()) {
      message->set_origin(header_, at_);
      message->set_headers(std::move(header_.headers));
    }
    ++at_;
    return true;
  }
  for (; at_ < end(); ++at_) {
    std::string_view payload;
    if (!reader_.next(payload, record_headers_)) return false;
    if (at_ < start_) continue;
    if (!handed_out_) {
      message.emplace(frames_, topic(), payload);
      message->set_origin(header_, at_);
      handed_out_ = true;
    }
    message->move_on(payload, at_++);
    if (!record_headers_.empty() || !message->headers().empty()) {
      message->set_headers(std::move(record_headers_));
    }
    return true;
  }
  return false;
}

}  // namespace busbar::detail

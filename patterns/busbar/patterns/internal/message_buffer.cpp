#include "busbar/patterns/internal/message_buffer.hpp"

namespace busbar::detail {

void MessageBuffer::offer(Message message) {
  if (when_full_ == WhenFull::keep_latest) {
    const auto earlier = latest_.find(key_of(message));
    if (earlier != latest_.end()) drop(earlier->second);
  }
  while (is_full(message)) {
    if (when_full_ == WhenFull::drop_newest) {
      count_dropped(message);
      return;
    }
    drop(messages_.begin());
  }
  bytes_ += message.payload().size();
  messages_.push_back(std::move(message));
  if (when_full_ == WhenFull::keep_latest) {
    latest_.emplace(key_of(messages_.back()), std::prev(messages_.end()));
  }
}

std::optional<Message> MessageBuffer::take() {
  if (messages_.empty()) return std::nullopt;
  std::optional<Message> oldest{messages_.front()};
  remove(messages_.begin());
  ++taken_;
  return oldest;
}

void MessageBuffer::remove(std::list<Message>::iterator message) {
  bytes_ -= message->payload().size();
  if (when_full_ == WhenFull::keep_latest) latest_.erase(key_of(*message));
  messages_.erase(message);
}

void MessageBuffer::drop(std::list<Message>::iterator message) {
  count_dropped(*message);
  remove(message);
}

void MessageBuffer::count_dropped(const Message& message) {
  ++dropped_;
  losses_.count(message.topic(), 1, message.payload().size());
}

BufferLedger MessageBuffer::ledger() const {
  return {.subscriber = {},
          .taken = taken_,
          .waiting = messages_.size(),
          .waiting_bytes = bytes_,
          .dropped = dropped_,
          .dropped_topics = losses_.most()};
}

}  // namespace busbar::detail

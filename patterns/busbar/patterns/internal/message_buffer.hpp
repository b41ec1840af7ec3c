/// A bounded buffer of messages with a policy, without threads.
#pragma once

#include <list>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>

#include <busbar/core/internal/topic_losses.hpp>
#include <busbar/patterns/buffered_subscriber.hpp>

namespace busbar::detail {

class MessageBuffer {
 public:
  MessageBuffer(WhenFull when_full, std::size_t messages, std::size_t bytes)
      : when_full_(when_full), messages_max_(messages), bytes_max_(bytes) {}

  void offer(Message message);
  std::optional<Message> take();
  bool empty() const noexcept { return messages_.empty(); }
  /// All but `subscriber`.
  BufferLedger ledger() const;

 private:
  /// Which messages replace one another. Stream numbers are their publisher's; the topic tells
  /// those of stock publishers apart. It is the message's own.
  using Key = std::tuple<std::string_view, std::uint64_t, std::uint32_t>;
  static Key key_of(const Message& message) noexcept {
    return {message.topic(), message.publisher(), message.stream()};
  }
  bool is_full(const Message& message) const noexcept {
    return messages_.size() >= messages_max_ ||
           (!messages_.empty() && bytes_ + message.payload().size() > bytes_max_);
  }
  void drop(std::list<Message>::iterator message);
  void remove(std::list<Message>::iterator message);
  void count_dropped(const Message& message);

  WhenFull when_full_;
  std::size_t messages_max_;
  std::size_t bytes_max_;
  std::list<Message> messages_;                         ///< The oldest first.
  std::map<Key, std::list<Message>::iterator> latest_;  ///< keep_latest
  std::size_t bytes_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t dropped_ = 0;
  TopicLosses losses_;
};

}  // namespace busbar::detail

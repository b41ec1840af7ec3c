/// A subscriber that reads all the time, so that a slow program costs nobody else anything.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <busbar/patterns/subscriber.hpp>

namespace busbar {

/// What goes when the buffer is full.
enum class WhenFull {
  drop_oldest,
  drop_newest,
  /// Only the newest message is kept, full or not: of each topic of each publisher, or of each
  /// stream where the publisher has several within a topic.
  keep_latest,
};

struct BufferOptions {
  std::vector<TopicPattern> patterns;  ///< What is subscribed to.
  WhenFull when_full = WhenFull::drop_oldest;
  std::size_t messages = 10'000;
  std::size_t bytes = 16u << 20;  ///< Payloads. One larger message is kept alone.
};

/// What became of the messages that the subscriber delivered into the buffer:
/// subscriber.delivered = taken + waiting + dropped.
struct BufferLedger {
  SubscriberLedger subscriber;
  std::uint64_t taken = 0;
  std::uint64_t waiting = 0;
  std::uint64_t waiting_bytes = 0;
  std::uint64_t dropped = 0;
  std::vector<TopicCount> dropped_topics = {};  ///< The busiest first, at most 20.

  bool reconciles() const noexcept {
    return subscriber.reconciles() && subscriber.delivered == taken + waiting + dropped;
  }
};

/// A Subscriber in a thread of its own with a bounded buffer behind it: the publisher never sees
/// this program as slow. Without the buffer, what is not received waits at the publisher, whose
/// policy counts. Any thread may call; each message goes to one caller.
class BufferedSubscriber {
 public:
  /// Throws Error as Subscriber does, and (usage) where a bound is 0 or nothing is subscribed to.
  BufferedSubscriber(Context& context, SubscriberOptions options, BufferOptions buffer);
  BufferedSubscriber(const BufferedSubscriber&) = delete;
  BufferedSubscriber& operator=(const BufferedSubscriber&) = delete;
  /// Stops the thread; what is held goes.
  ~BufferedSubscriber();

  /// As Subscriber::wait_ready, for one publisher.
  void wait_ready(std::chrono::milliseconds timeout);
  /// Empty: nothing is there now.
  std::optional<Message> receive() { return receive(std::chrono::milliseconds{0}); }
  /// Waits for at most `timeout`. Empty: nothing came, or it was stopped, alone or with its
  /// context.
  std::optional<Message> receive(std::chrono::milliseconds timeout);
  /// All messages until `stop`, or until none came for `timeout`.
  using Messages = detail::Incoming<BufferedSubscriber, std::optional<Message>>;
  Messages messages(std::chrono::milliseconds timeout = detail::unlimited);
  /// Makes every waiting call return, and all later ones return at once.
  void stop() noexcept;
  bool stopped() const;
  /// Called in the reading thread, so what was received before a gap may still be in the buffer.
  /// It may call what is here, but nothing comes while it waits; what it throws is logged. Set it
  /// before messages are expected.
  void on_gap(std::function<void(const Gap&)> handler);
  BufferLedger ledger() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace busbar

/// A publisher's socket, the thread that serves it, and what the callers' threads share with it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include <busbar/core/internal/slow_peers.hpp>
#include <busbar/core/internal/socket_poll.hpp>
#include <busbar/core/internal/topic_losses.hpp>
#include <busbar/core/internal/wake.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/patterns/publisher.hpp>

namespace busbar::detail {

/// One mutex guards it all, the socket included: libzmq allows a socket to change threads with a
/// full fence. A message goes out in its caller's thread where it can, without a change of threads;
/// what gathers in batches, and answers to subscribers, in the background thread.
class PublisherLoop {
  /// The calendar's time out of the steady clock's: reading two clocks for a message would cost.
  class Calendar {
   public:
    void set(TimePoint now) noexcept {
      using std::chrono::duration_cast;
      using std::chrono::microseconds;
      const auto calendar = std::chrono::system_clock::now().time_since_epoch();
      offset_ = duration_cast<microseconds>(calendar) -
                duration_cast<microseconds>(now.time_since_epoch());
    }
    std::uint64_t microseconds(TimePoint now) const noexcept {
      const auto steady =
          std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch());
      return static_cast<std::uint64_t>((steady + offset_).count());
    }

   private:
    std::chrono::microseconds offset_{0};
  };

 public:
  PublisherLoop(Context& context, PublisherOptions options);
  ~PublisherLoop();

  SendResult publish(std::string_view topic, std::string_view payload, const Headers& headers,
                     std::string_view stream);
  void wait_for_subscribers(std::string_view topic, std::size_t count,
                            std::chrono::milliseconds timeout);
  std::size_t subscribers(std::string_view topic) const;
  void flush(std::chrono::milliseconds timeout);
  StopReport stop(std::chrono::milliseconds deadline);
  PublisherLedger ledger() const;

  const std::vector<Endpoint>& bound() const noexcept { return bound_; }
  std::uint64_t id() const noexcept { return protocol_.id(); }

 private:
  struct Outgoing {
    Multipart frames;
    std::uint32_t messages = 1;  ///< 0: an answer to a subscriber.
    std::size_t bytes = 0;
  };
  using Lock = std::unique_lock<std::mutex>;

  // In a caller's thread, with the lock.
  bool fits(std::string_view topic, std::string_view payload, const Headers& headers) const;
  bool has_room(std::size_t bytes) const;
  bool wait_for_room(Lock& lock, std::size_t bytes);
  void end_linger();
  void publish_alone(protocol::Stream& stream, std::string_view payload, const Headers& headers,
                     TimePoint now);
  void add_to_batch(protocol::Stream& stream, std::string_view payload, const Headers& headers);
  void check_plain(std::string_view topic, const Headers& headers, std::string_view stream_name);
  void publish_plain(std::string_view topic, std::string_view payload);
  bool wait_for_sent(Lock& lock, TimePoint deadline);
  void require_running(const char* operation) const;
  Lock lock_for_caller() const;

  // In either.
  void close_batch(protocol::Stream& stream, TimePoint now);
  void close_batches(TimePoint now);
  void send_next(std::uint32_t messages);
  void send_waiting();
  std::size_t& bytes_of(const Outgoing& outgoing) noexcept;
  int try_to_send(Multipart& frames);
  bool send(Outgoing& outgoing);
  void drop(Outgoing& outgoing);
  void look_for_subscriptions(TimePoint now);

  // In the background thread.
  void run();
  void end();
  void serve(TimePoint now);
  void read_subscriptions(TimePoint now);
  void cut_slow_subscribers(TimePoint now);
  bool send_answer(TimePoint now);
  bool queue_answer();
  std::chrono::milliseconds longest_wait(TimePoint now) const;

  Context context_;
  PublisherOptions options_;
  bool lingers_;  ///< A lone message opens a batch too.
  Socket socket_;
  void* handle_;  ///< Null once it is closed.
  std::vector<Endpoint> bound_;
  protocol::PublisherProtocol protocol_;
  Wake wake_;

  mutable std::mutex mutex_;
  mutable std::atomic<int> callers_stand_back_ = 0;  ///< The background thread wants the lock.
  std::condition_variable changed_;      ///< Room, a subscriber, or nothing left that waits.
  Outgoing next_;                        ///< What is being made; its slots are used again.
  std::deque<Outgoing> waiting_;         ///< For room at the subscribers.
  std::vector<protocol::Stream*> open_;  ///< Streams with an open batch.
  std::size_t waiting_bytes_ = 0;        ///< Of messages, in open batches too.
  std::size_t waiting_answer_bytes_ = 0;
  std::optional<Multipart> answer_;  ///< One that found no room, where messages are dropped,
  TimePoint answer_until_{};         ///< and how long it is kept for that.
  TimePoint full_since_ = TimePoint::max();
  TimePoint batch_due_ = TimePoint::max();
  TimePoint wakes_at_ = TimePoint::max();  ///< When the background thread looks again unasked.
  TimePoint last_sent_{};
  std::chrono::microseconds pace_;  ///< Between two batches.
  TimePoint maintain_at_{};
  TimePoint looked_at_{};            ///< For subscriptions, by a caller.
  bool has_answers_ = false;         ///< And there may be room for them.
  bool heard_subscription_ = false;  ///< While looking for room; it is still to be read.
  bool stopping_ = false;            ///< Nothing goes any more: this is the end, or the context's.
  bool ended_ = false;               ///< Closed, and seen off.
  std::string checked_topic_;        ///< The last one with wire = plain.
  Calendar calendar_;
  PublisherLedger counts_;
  TopicLosses losses_;
  SlowPeers slow_peers_;
  SocketPoll poll_;
  std::thread thread_;  ///< Last: it uses all of the above.
};

}  // namespace busbar::detail

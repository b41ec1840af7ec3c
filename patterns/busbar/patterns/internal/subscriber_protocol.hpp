/// A subscriber's side of the publish/subscribe protocol, without sockets, threads or clocks:
/// messages go in as they come, and come out in the order of their streams, once each.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include <busbar/core/clock.hpp>
#include <busbar/core/topic.hpp>
#include <busbar/patterns/gap.hpp>
#include <busbar/patterns/internal/arrival.hpp>
#include <busbar/protocol/pubsub_control.hpp>

namespace busbar::detail {

struct SubscriberProtocolOptions {
  std::uint64_t inbox = 0;  ///< Drawn at random by the shell.
  bool recover = true;      ///< Ask for what is missing; else a gap is told at once.
  std::chrono::milliseconds join_wait{250};   ///< For a publisher's welcome, before its messages.
  std::chrono::milliseconds fetch_wait{250};  ///< For an answer, before asking again.
  int fetch_attempts = 6;
  std::size_t waiting_messages = 100'000;  ///< Bounds of what waits behind gaps, in all.
  std::size_t waiting_bytes = 64u << 20;
  std::size_t streams_max = 100'000;    ///< Remembered; beyond it, all are forgotten and met anew.
  std::size_t publishers_max = 10'000;  ///< Likewise.
};

/// Counts of messages.
struct SubscriberCounts {
  std::uint64_t received = 0;    ///< Came in, again and again perhaps.
  std::uint64_t delivered = 0;   ///< Came out.
  std::uint64_t duplicates = 0;  ///< Were there already.
  std::uint64_t unwanted = 0;    ///< Match no pattern: libzmq filters by prefix only.
  std::uint64_t malformed = 0;   ///< A header or a batch that cannot be read.
  std::uint64_t recovered = 0;   ///< Of those delivered: fetched again.
  std::uint64_t lost = 0;        ///< Told as gaps.
  std::uint64_t waiting = 0;     ///< Behind a gap.
};

/// What the shell is to subscribe to, or to unsubscribe from, at its socket.
struct SubscriptionChange {
  std::string topic;
  bool on = true;
};

class SubscriberProtocol {
 public:
  explicit SubscriberProtocol(SubscriberProtocolOptions options);

  void subscribe(const TopicPattern& pattern);
  void unsubscribe(const TopicPattern& pattern);
  /// Every pattern was welcomed by so many publishers: from now on nothing that these publish is
  /// missed.
  bool is_ready(std::size_t publishers = 1) const noexcept;
  /// Says to publishers again that we are there: a welcome may have been lost.
  void announce_again();

  /// Takes the frames out of their slots, which stay for the next message.
  void receive(Multipart& frames, TimePoint now);
  /// What is to be delivered next, until `done` with it. Null: nothing now.
  std::variant<Arrival, Gap>* next() { return ready_.empty() ? nullptr : &ready_.front(); }
  void done() { ready_.pop_front(); }
  std::optional<SubscriptionChange> next_change();
  void tick(TimePoint now);
  TimePoint next_deadline() const noexcept { return deadline_; }
  SubscriberCounts& counts() noexcept { return counts_; }

 private:
  struct Pattern {
    TopicPattern pattern;
    std::uint16_t number;  ///< Of its presence.
    bool welcomed = false;
  };
  struct Outstanding {
    protocol::Fetch request;
    TimePoint again_at{};
  };
  struct Publisher;
  struct Stream {
    Publisher* publisher = nullptr;
    std::uint32_t number = 0;
    std::string topic;
    std::uint64_t next = 0;  ///< The next to deliver; 0: not known yet.
    std::uint64_t head = 0;  ///< The next that the publisher will send, as far as it told.
    TimePoint join_until = TimePoint::max();
    std::map<std::uint64_t, Arrival> waiting;
    std::optional<Outstanding> fetch;
    int attempts = 0;
    std::vector<std::uint16_t> welcomed;  ///< By which presences, before its topic was known.

    /// Where the gap ends that begins with `next`; `next` where there is none.
    std::uint64_t gap_end() const noexcept;
  };
  struct Publisher {
    std::uint64_t id = 0;
    std::string name;
    bool keeps = false;
    std::vector<std::uint16_t> welcomed;  ///< Presences that it has answered.
    std::optional<TimePoint> succeeded;   ///< When another one of its name was met.
    std::unordered_map<std::uint32_t, Stream> streams;
  };

  bool is_wanted(std::string_view topic);
  void receive_reserved(Multipart& frames, TimePoint now);
  void on_control(const protocol::Welcome& welcome, TimePoint now);
  void meet(const protocol::Welcome& welcome, TimePoint now);
  void note_life(Publisher& publisher, TimePoint now);
  void on_control(const protocol::Heads& heads, TimePoint now);
  void on_control(const protocol::Fetched& fetched, TimePoint now);
  void accept(Arrival&& arrival, bool fetched, TimePoint now);
  Stream& stream_of(const protocol::Header& header);
  bool knows_beginning(const Publisher& publisher, std::string_view topic) const noexcept;
  void wait(Stream& stream, Arrival&& arrival);
  void take_waiting(Stream& stream);
  void deliver(Stream& stream, Arrival&& arrival);
  /// Delivers what can be, asks for what is missing, or gives it up.
  void settle(Stream& stream, TimePoint now);
  void fetch(Stream& stream, TimePoint now);
  void end_fetch(Stream& stream);
  void give_up(Stream& stream, std::uint64_t last, GapCause cause);
  void keep_within_bounds(Stream& stream, TimePoint now);
  void forget(std::uint64_t publisher);
  void forget_unwanted(std::uint16_t presence);
  void forget_if_too_many();
  static void in_order_of_arrival(std::vector<Stream*>& streams);
  void watch(Stream& stream, TimePoint until);

  SubscriberProtocolOptions options_;
  std::vector<Pattern> patterns_;
  std::uint16_t next_presence_ = 0;
  std::uint16_t next_attempt_ = 0;
  std::map<std::uint64_t, Publisher> publishers_;
  std::set<std::string> shared_names_;  ///< By which no restart is seen.
  Stream* latest_ = nullptr;            ///< Most traffic repeats its stream,
  std::string latest_wanted_;           ///< and its topic.
  std::set<Stream*> unsettled_;         ///< Streams that wait for something.
  std::deque<std::variant<Arrival, Gap>> ready_;
  std::deque<SubscriptionChange> changes_;
  SubscriberCounts counts_;
  std::size_t waiting_bytes_ = 0;
  std::size_t stream_count_ = 0;
  TimePoint deadline_ = TimePoint::max();
};

}  // namespace busbar::detail

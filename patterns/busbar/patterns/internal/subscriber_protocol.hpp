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
#include <utility>
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
  /// For a welcome, before saying again that we are there; twice as long each time, up to a minute.
  std::chrono::milliseconds announce_after{1000};
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
  std::uint64_t recovered = 0;   ///< Of those delivered: fetched, as they were missing.
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
  /// So many publishers are waited for. As long as fewer have welcomed a pattern, and as long as
  /// one that is heard has not, it is announced again: a welcome may have been lost.
  void expect(std::size_t publishers) noexcept;

  /// Takes the frames out of their slots, which stay for the next message.
  void receive(Multipart& frames, TimePoint now);
  /// What is to be delivered next, until `done` with it. Null: nothing now.
  std::variant<Arrival, Gap>* next() { return ready_.empty() ? nullptr : &ready_.front(); }
  void done();
  /// What is to be delivered has reached the bounds of what may wait behind gaps.
  bool has_much() const noexcept;
  std::optional<SubscriptionChange> next_change();
  void tick(TimePoint now);
  TimePoint next_deadline() const noexcept { return deadline_; }
  SubscriberCounts& counts() noexcept { return counts_; }

 private:
  /// What is said again after pauses that double.
  struct Repeat {
    TimePoint at = TimePoint::min();  ///< min: not known yet.
    std::chrono::milliseconds pause{};
  };
  struct Pattern {
    TopicPattern pattern;
    std::uint32_t number = 0;
    std::uint16_t attempt = 0;
    Repeat again = {};
    bool welcomed = false;
  };
  /// Asks one publisher for its welcome.
  struct Ask {
    std::string standing = {};  ///< The request; empty: not made yet.
    Repeat again = {};
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

    /// Where the gap ends that begins with `next`; `next` where there is none.
    std::uint64_t gap_end() const noexcept;
  };
  struct Publisher {
    std::uint64_t id = 0;
    std::string name;
    bool keeps = false;
    TimePoint answered_at{};              ///< When something that we asked for came from it last.
    std::vector<std::uint32_t> welcomed;  ///< Patterns, by number.
    std::optional<TimePoint> succeeded;   ///< When another one of its name was met.
    std::unordered_map<std::uint32_t, Stream> streams;
  };

  protocol::Presence presence_of(const Pattern& pattern) const;
  bool is_welcomed(const Pattern& pattern, std::size_t publishers) const noexcept;
  void announce_again(TimePoint now);
  bool is_due(Repeat& again, TimePoint not_before, TimePoint now);
  void miss_welcome(const Publisher& publisher, std::string_view topic, TimePoint now);
  void end_asks(std::optional<std::uint32_t> pattern, std::optional<std::uint64_t> publisher);
  bool is_wanted(std::string_view topic);
  void receive_reserved(Multipart& frames, TimePoint now);
  void on_control(const protocol::Welcome& welcome, TimePoint now);
  void meet(const protocol::Welcome& welcome, TimePoint now);
  void note_life(Publisher& publisher, TimePoint now);
  void on_control(const protocol::Heads& heads, TimePoint now);
  void on_control(const protocol::Fetched& fetched, TimePoint now);
  void accept(Arrival&& arrival, bool to_us, TimePoint now);
  Stream& stream_of(std::uint64_t publisher, std::uint32_t number);
  Stream* known_or_begun(const protocol::Position& position, std::uint64_t id, TimePoint now);
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
  void forget_unwanted();
  void forget_if_too_many();
  static void in_order_of_arrival(std::vector<Stream*>& streams);
  void watch(Stream& stream, TimePoint until);
  void hand_out(Arrival&& arrival);

  SubscriberProtocolOptions options_;
  std::vector<Pattern> patterns_;
  std::uint32_t next_number_ = 0;
  std::size_t expected_ = 1;                                     ///< Publishers.
  std::map<std::pair<std::uint32_t, std::uint64_t>, Ask> asks_;  ///< By pattern and publisher.
  std::uint16_t next_attempt_ = 0;
  std::map<std::uint64_t, Publisher> publishers_;
  std::set<std::string> shared_names_;  ///< By which no restart is seen.
  Stream* latest_ = nullptr;            ///< Most traffic repeats its stream,
  std::string latest_wanted_;           ///< and its topic.
  std::set<Stream*> unsettled_;         ///< Streams that wait for something.
  std::deque<std::variant<Arrival, Gap>> ready_;
  std::size_t ready_messages_ = 0;
  std::size_t ready_bytes_ = 0;
  std::deque<SubscriptionChange> changes_;
  SubscriberCounts counts_;
  std::size_t waiting_bytes_ = 0;
  std::size_t stream_count_ = 0;
  TimePoint deadline_ = TimePoint::max();
};

}  // namespace busbar::detail

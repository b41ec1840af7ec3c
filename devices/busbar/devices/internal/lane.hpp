/// One direction through a relay: the loop that every message passes.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include <busbar/devices/internal/hop.hpp>

namespace busbar::detail {

using Hops = std::vector<std::unique_ptr<Hop>>;

enum class Direction { forward, backward };

/// For reading what a stop leaves behind.
inline constexpr std::chrono::milliseconds longest_abandon{20};

/// Reads from one socket, takes each message through the hops and sends it on the other socket. At
/// most one message is held, and while it is nothing more is read.
class Lane {
 public:
  /// `fan_out`: the output is an XPUB that refuses when full.
  Lane(Direction direction, Hops& hops, Overflow overflow, bool fan_out);

  /// Moves at most `most` messages; answers how many were read.
  std::size_t burst(void* input, void* output, std::size_t most);
  /// Sends what caches answer to subscribers, as far as there is room. They are in the books of
  /// their device as received.
  void send_answers(void* output, TimePoint now);
  bool holds() const noexcept { return held_; }
  /// An answer of a cache waits for room at those who may miss messages, but not yet this.
  bool holds_answer() const noexcept { return answer_.has_value(); }
  /// Caches have more answers for which there is room.
  bool has_answers() const noexcept { return has_answers_; }
  /// Counts the held message, and what can be read from `input` in 20 ms, as abandoned; answers how
  /// many that are.
  std::uint64_t abandon(void* input);

 private:
  bool admit();
  bool pass(std::size_t first);
  /// Sends, drops, or holds: false where it holds.
  bool deliver(void* output);
  bool deliver_late(void* output, int error);
  void deliver_answer(void* output, TimePoint until);
  SideLedger& input_book() noexcept;
  SideLedger& output_book() noexcept;

  Direction direction_;
  Hops& hops_;
  Overflow overflow_;
  bool fan_out_;
  bool held_ = false;
  Multipart message_;
  Weight weight_;
  struct Answer {
    Multipart frames;
    Weight weight;
    TimePoint until;  ///< Then it goes without those who are full.
  };
  std::optional<Answer> answer_;
  bool has_answers_ = false;
};

/// A forwarder's subscriptions, from its subscribers up to its publishers.
class SubscriptionLane {
 public:
  explicit SubscriptionLane(Hops& hops) : hops_(hops) {}
  /// Once, before all else: a cache keeps what nobody has asked for yet.
  void take_all_for_caches(void* frontend);
  std::size_t burst(void* backend, void* frontend, std::size_t most);

 private:
  /// From the last of the first `hops` hops up.
  void pass_on(void* frontend, std::string_view subscription, std::size_t hops);

  Hops& hops_;
  Multipart message_;
};

}  // namespace busbar::detail

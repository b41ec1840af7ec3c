/// When a publisher tells how far its streams are.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <list>
#include <vector>

#include <busbar/core/clock.hpp>

namespace busbar::protocol {

struct Stream;

/// A stream's head is told soon after its last message, and then again after pauses that double up
/// to a minute: so whoever missed that message hears of it, however long it did not read. While
/// messages follow one another nothing is told, as the next one says as much. Streams that have
/// been told equally often since their last message share a time, so that few messages tell of
/// many streams.
class HeadsSchedule {
 public:
  using Streams = std::list<Stream*>;
  /// Where a stream stands here.
  struct Place {
    Streams::iterator entry;
    std::size_t told = 0;  ///< How often since its last message, at most `last`.
    bool known = false;
    bool due = false;
    bool moved = false;  ///< Another message came while the first telling was awaited.
  };
  static constexpr std::array<std::chrono::milliseconds, 8> pauses{
      std::chrono::milliseconds{100},    std::chrono::milliseconds{1'000},
      std::chrono::milliseconds{2'000},  std::chrono::milliseconds{4'000},
      std::chrono::milliseconds{8'000},  std::chrono::milliseconds{16'000},
      std::chrono::milliseconds{32'000}, std::chrono::milliseconds{60'000}};

  HeadsSchedule() { due_at_.fill(TimePoint::max()); }
  void on_message(Stream& stream, TimePoint now);
  void forget(Stream& stream);
  void tick(TimePoint now);
  TimePoint next_deadline() const noexcept { return next_; }
  bool anything_due() const noexcept { return !due_.empty(); }
  /// Those whose heads are to be told now. They count as told at the last tick.
  std::vector<const Stream*> take();

 private:
  static constexpr std::size_t last = pauses.size() - 1;
  void make_due(Streams& from, Stream& stream, TimePoint now);
  void await(Streams& from, Stream& stream, std::size_t told, TimePoint now);

  std::array<Streams, pauses.size()> waiting_;  ///< By how often they have been told.
  std::array<TimePoint, pauses.size()> due_at_;
  Streams due_;
  TimePoint next_ = TimePoint::max();  ///< The earliest of due_at_.
  TimePoint now_{};
};

}  // namespace busbar::protocol

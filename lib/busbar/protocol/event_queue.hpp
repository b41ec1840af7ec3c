/// Which number to look at when.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <busbar/core/clock.hpp>

namespace busbar::protocol {

/// A heap whose entries are never taken out ahead of time: the owner knows which of them still
/// hold.
class EventQueue {
 public:
  void add(TimePoint at, std::uint64_t number) {
    heap_.push_back({at, number});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  /// May be that of one which holds no more.
  TimePoint next() const noexcept { return heap_.empty() ? TimePoint::max() : heap_.front().at; }
  /// Calls `look(number, at)` for each that is due; it may add more.
  template <class Look>
  void run(TimePoint now, Look look) {
    while (!heap_.empty() && heap_.front().at <= now) {
      std::pop_heap(heap_.begin(), heap_.end(), later);
      const Entry entry = heap_.back();
      heap_.pop_back();
      look(entry.number, entry.at);
    }
  }
  /// Drops those for which `holds(number, at)` says no, once they are most: `live` hold at most.
  template <class Holds>
  void tidy(std::size_t live, Holds holds) {
    if (heap_.size() < 2 * live + 64) return;
    std::erase_if(heap_, [&](const Entry& entry) { return !holds(entry.number, entry.at); });
    std::make_heap(heap_.begin(), heap_.end(), later);
  }

 private:
  struct Entry {
    TimePoint at;
    std::uint64_t number;
  };
  static bool later(const Entry& a, const Entry& b) noexcept { return a.at > b.at; }
  std::vector<Entry> heap_;
};

}  // namespace busbar::protocol

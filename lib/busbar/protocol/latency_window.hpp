/// How long replies took lately.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include <busbar/core/clock.hpp>

namespace busbar::protocol {

/// The last 256 times, and the 95th percentile of them; worked out anew for every 32nd.
class LatencyWindow {
 public:
  void add(Duration took) noexcept {
    times_[count_++ % size] = took;
    if (count_ % 32 != 0) return;
    auto sorted = times_;
    const std::size_t filled = std::min(count_, size);
    const auto place = sorted.begin() + static_cast<std::ptrdiff_t>(filled * 95 / 100);
    std::nth_element(sorted.begin(), place, sorted.begin() + static_cast<std::ptrdiff_t>(filled));
    p95_ = *place;
  }
  /// Duration::max() until there were 32.
  Duration p95() const noexcept { return p95_; }

 private:
  static constexpr std::size_t size = 256;
  std::array<Duration, size> times_{};
  std::size_t count_ = 0;
  Duration p95_ = Duration::max();
};

}  // namespace busbar::protocol

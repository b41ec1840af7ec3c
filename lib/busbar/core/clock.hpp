/// Time as something that is given, so that a test or a simulator can hold it.
#pragma once

#include <atomic>
#include <chrono>

namespace busbar {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

/// `now + wait`; TimePoint::max() where that is further away than a century, and TimePoint::min()
/// where it is as long ago.
constexpr TimePoint after(TimePoint now, std::chrono::milliseconds wait) noexcept {
  constexpr std::chrono::milliseconds century = std::chrono::hours{24 * 365 * 100};
  if (wait > century) return TimePoint::max();
  if (wait < -century) return TimePoint::min();
  if (wait.count() > 0 && now > TimePoint::max() - wait) return TimePoint::max();
  if (wait.count() < 0 && now < TimePoint::min() - wait) return TimePoint::min();
  return now + wait;
}

/// How long to wait until `deadline`: rounded up, never negative, at most a day.
constexpr std::chrono::milliseconds left_until(TimePoint deadline, TimePoint now) noexcept {
  if (deadline <= now) return std::chrono::milliseconds{0};
  const TimePoint latest = now + std::chrono::hours{24};
  return std::chrono::ceil<std::chrono::milliseconds>((deadline < latest ? deadline : latest) -
                                                      now);
}

/// A monotonic clock. `now` may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const noexcept = 0;

  /// The machine's steady clock.
  static const Clock& steady() noexcept;
};

/// What makes the system's UTC, in milliseconds since 1970, of `now` when it is added.
std::chrono::milliseconds utc_offset(TimePoint now) noexcept;

/// A clock that moves only when told to. Thread-safe.
class ManualClock final : public Clock {
 public:
  TimePoint now() const noexcept override { return TimePoint{Duration{ticks_.load()}}; }
  void advance(Duration by) noexcept { ticks_ += by.count(); }

 private:
  std::atomic<Duration::rep> ticks_{0};
};

}  // namespace busbar

/// Time as something that is given, so that a test or a simulator can hold it.
#pragma once

#include <atomic>
#include <chrono>

namespace busbar {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

/// A monotonic clock. `now` may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const noexcept = 0;

  /// The machine's steady clock.
  static const Clock& steady() noexcept;
};

/// A clock that moves only when told to. Thread-safe.
class ManualClock final : public Clock {
 public:
  TimePoint now() const noexcept override { return TimePoint{Duration{ticks_.load()}}; }
  void advance(Duration by) noexcept { ticks_ += by.count(); }

 private:
  std::atomic<Duration::rep> ticks_{0};
};

}  // namespace busbar

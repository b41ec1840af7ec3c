/// A lock that is waited for with a deadline.
#pragma once

#include <condition_variable>
#include <mutex>

#include <busbar/core/clock.hpp>

namespace busbar::detail {

/// Held by one at a time. A timed mutex, but for the clock calls that ThreadSanitizer does not see.
class Turn {
 public:
  class Held {
   public:
    explicit Held(Turn* turn) : turn_(turn) {}
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() {
      if (turn_ != nullptr) turn_->give_back();
    }
    explicit operator bool() const noexcept { return turn_ != nullptr; }

   private:
    Turn* turn_;
  };

  Held take() {
    std::unique_lock lock(mutex_);
    free_.wait(lock, [this] { return !taken_; });
    taken_ = true;
    return Held{this};
  }
  /// Not held where it was not free in time.
  Held take_until(TimePoint end) {
    std::unique_lock lock(mutex_);
    if (!free_.wait_until(lock, end, [this] { return !taken_; })) return Held{nullptr};
    taken_ = true;
    return Held{this};
  }

 private:
  void give_back() {
    const std::scoped_lock lock(mutex_);
    taken_ = false;
    free_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable free_;
  bool taken_ = false;
};

}  // namespace busbar::detail

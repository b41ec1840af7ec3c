/// The thread around an engine, and what crosses into it.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <busbar/core/error.hpp>
#include <busbar/core/internal/wake.hpp>
#include <busbar/core/runner.hpp>
#include <busbar/patterns/internal/engine.hpp>

namespace busbar::detail {

/// Turns its engine until it is told to leave, or the context is stopped.
template <class EngineType>
class EngineLoop : public Active {
 public:
  bool step(std::chrono::milliseconds wait) final;
  void request_stop(std::chrono::milliseconds deadline) noexcept final;
  std::string name() const final { return name_; }
  const std::vector<Endpoint>& bound() const noexcept { return bound_; }

 protected:
  EngineLoop(Context& context, std::string name) : context_(context), name_(std::move(name)) {}
  EngineType& start(std::unique_ptr<EngineType> engine) {
    engine_ = std::move(engine);
    bound_ = engine_->bound();
    return *engine_;
  }

  /// Moves what there is. True: there may be more.
  virtual bool turn(TimePoint now) = 0;
  /// How long what does not press may gather after a turn in which something was moved. Every turn
  /// costs several switches of threads, here and at the other end.
  static constexpr std::chrono::microseconds pace{200};
  // With the mutex held:
  /// Other threads left something that presses.
  virtual bool needs_turn() const = 0;
  /// Asked before each sleep: much has moved of late, so that more is to be expected. Requires that
  /// it is so where something was left that does not press.
  virtual bool paces() { return false; }
  /// Asked after request_stop, until its deadline.
  virtual bool may_leave() const = 0;
  /// The engine has left, and is about to go.
  virtual void ended() = 0;
  /// There is something for the next turn. What does not press may gather while the loop is at
  /// its pace.
  void wake_up(bool presses = true) noexcept {
    if (sleep_ == Sleep::none || (sleep_ == Sleep::paced && !presses)) return;
    sleep_ = Sleep::none;
    wake_.signal();
  }
  /// Waits in changed_ for at most `timeout`.
  template <class Condition>
  bool wait_for(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds timeout,
                Condition condition) {
    if (condition()) return true;
    ++waiters_;
    const TimePoint deadline = after(std::chrono::steady_clock::now(), timeout);
    const bool holds = changed_.wait_until(lock, deadline, condition);
    --waiters_;
    return holds;
  }

  Context context_;
  const std::string name_;
  mutable std::mutex mutex_;  ///< Guards all below.
  std::condition_variable changed_;
  int waiters_ = 0;  ///< In changed_.
  std::optional<TimePoint> leave_at_;
  bool ended_ = false;
  std::unique_ptr<EngineType> engine_;  ///< The thread's, but for what the mutex guards in it.

 private:
  bool turn_and_wait(std::chrono::milliseconds wait);
  /// For the last words to arrive, where there is no time; less than a Runner's patience.
  static constexpr std::chrono::milliseconds farewell{50};
  void finish();

  std::vector<Endpoint> bound_;
  SocketPoll poll_;
  Wake wake_;
  enum class Sleep { none, paced, sound };
  Sleep sleep_ = Sleep::none;
};

template <class EngineType>
bool EngineLoop<EngineType>::step(std::chrono::milliseconds wait) {
  try {
    if (turn_and_wait(wait)) return true;
  } catch (const Error& error) {
    finish();
    if (error.kind() == ErrorKind::refused) return false;  // the context was stopped
    throw;
  }
  finish();
  return false;
}

template <class EngineType>
bool EngineLoop<EngineType>::turn_and_wait(std::chrono::milliseconds wait) {
  const TimePoint now = context_.clock().now();
  const bool busy = turn(now);
  poll_.start();
  TimePoint until = engine_->add_to(poll_);
  poll_.add(wake_.descriptor());
  std::chrono::nanoseconds longest{0};
  {
    const std::scoped_lock lock(mutex_);
    if (leave_at_ && (may_leave() || now >= *leave_at_)) return false;
    if (busy || needs_turn()) return true;
    if (leave_at_) until = std::min(until, *leave_at_);
    sleep_ = paces() ? Sleep::paced : Sleep::sound;
    longest = sleep_ == Sleep::paced ? pace : std::chrono::nanoseconds{left_until(until, now)};
  }
  const bool open = poll_.wait(std::min<std::chrono::nanoseconds>(wait, longest));
  const std::scoped_lock lock(mutex_);
  if (std::exchange(sleep_, Sleep::none) == Sleep::none) wake_.clear();
  return open;
}

template <class EngineType>
void EngineLoop<EngineType>::finish() {
  std::unique_ptr<EngineType> gone;
  std::chrono::milliseconds left{0};
  try {
    engine_->leave();
  } catch (const Error&) {
    // The context was stopped: nobody can be told.
  }
  {
    const std::scoped_lock lock(mutex_);
    ended();
    ended_ = true;
    gone = std::move(engine_);
    left = left_until(leave_at_.value_or(TimePoint::max()), context_.clock().now());
    changed_.notify_all();
  }
  // Without the mutex, when all can see that we have ended.
  gone->see_off(std::max(left, farewell));
}

template <class EngineType>
void EngineLoop<EngineType>::request_stop(std::chrono::milliseconds deadline) noexcept {
  const std::scoped_lock lock(mutex_);
  const TimePoint at = after(context_.clock().now(), deadline);
  leave_at_ = leave_at_ ? std::min(*leave_at_, at) : at;
  wake_up();
  changed_.notify_all();
}

}  // namespace busbar::detail

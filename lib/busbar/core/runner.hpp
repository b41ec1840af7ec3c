/// Things that are stepped, and the thread that steps them.
#pragma once

#include <chrono>
#include <memory>

#include <busbar/core/context.hpp>

namespace busbar {

/// An active object: it owns sockets and moves on by steps. Tests call `step` themselves.
class Active {
 public:
  virtual ~Active() = default;
  /// Does what there is to do; waits for at most `wait` where there is nothing. False: finished.
  /// One thread at a time.
  virtual bool step(std::chrono::milliseconds wait) = 0;
  /// Asks to finish within `deadline`; what is under way is carried on for that long (a device
  /// drains), 0: ends at once. Wakes a waiting step. Any thread, more than once: the earliest
  /// deadline counts.
  virtual void request_stop(std::chrono::milliseconds deadline) noexcept = 0;
  /// What the stop left behind; meaningful once `step` answered false.
  virtual StopReport report() const = 0;
  virtual std::string name() const = 0;
};

/// A thread that steps an active object. The destructor stops it at once (deadline 0), and waits
/// for the user's own code where that runs, as std::jthread does; unless that code is what calls
/// it.
class Runner {
 public:
  explicit Runner(std::shared_ptr<Active> active);
  /// For anything that hands out its active object: `busbar::Runner running{hub};`
  template <class Device>
  requires requires(Device& d) { d.active(); }
  explicit Runner(Device& device) : Runner(device.active()) {}
  Runner(Runner&&) noexcept;
  Runner& operator=(Runner&&) noexcept;
  ~Runner();

  /// Returns when the object has finished, at the latest 100 ms after `deadline`: an object that
  /// is stuck in the user's own code is left to its thread and named in the report, and so is what
  /// a step threw. Any thread; where it is the object's own it returns at once, and what it asked
  /// for is done when the user's code returns.
  StopReport stop(std::chrono::milliseconds deadline);
  /// Waits until the object finishes by itself, or for `timeout`; true: it has finished. Throws
  /// what `step` threw.
  bool wait(std::chrono::milliseconds timeout);

 private:
  void end() noexcept;

  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace busbar

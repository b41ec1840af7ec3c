/// Waits for input, for output that breaks, and for signals.
#pragma once

#include <chrono>
#include <optional>

#include <busbar/core/error.hpp>
#include <busbar/core/signals.hpp>

namespace busbar::program {

/// How late a signal is seen.
constexpr std::chrono::milliseconds tick{20};

/// Create it before the Context: threads that run already would take the signals.
class Waiter {
 public:
  Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  virtual ~Waiter() = default;

  /// Waits until the descriptor `readable` is so, `output` is broken (each -1: none), or a signal
  /// has come; at most for `timeout`, and often shorter: a deadline is the caller's to keep.
  virtual void wait(int readable, int output, std::optional<std::chrono::milliseconds> timeout);
  void wait(std::chrono::milliseconds timeout) { wait(-1, -1, timeout); }

  /// Takes the signals that have come, for who works and never waits. A system call once a tick
  /// only, so it may be called for every line.
  void look();
  bool asked_to_end() const noexcept { return signals_seen_ > 0; }
  bool asked_to_stop_at_once() const noexcept { return signals_seen_ > 1; }
  /// `output` broke in the last wait: whoever read from us is gone.
  bool output_broken() const noexcept { return broken_; }

 protected:
  int signals() const noexcept { return signals_.fd(); }
  void take_signals();
  void set_broken(bool broken) noexcept { broken_ = broken; }

 private:
  Signals signals_;
  int signals_seen_ = 0;
  std::chrono::steady_clock::time_point look_at_{};
  bool broken_ = false;
};

/// False: what `wait` waits for did not come within its timeout. For those who go on waiting, and
/// look for signals in between.
template <class Wait>
bool in_time(Wait wait) {
  try {
    wait();
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::timeout) throw;
    return false;
  }
}

}  // namespace busbar::program

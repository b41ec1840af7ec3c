#include "program/watch.hpp"

#include "program/talk.hpp"

#include <array>
#include <exception>
#include <poll.h>
#include <string>
#include <thread>

#include <busbar/core/internal/wake.hpp>

namespace busbar::program {
namespace {

/// Two things that nobody can wait for at once, made one: so an idle device never wakes up to look.
class End {
 public:
  explicit End(const Watched& watched)
      : waiting_{[this, &watched](const std::stop_token& given_up) {
          try {
            while (!given_up.stop_requested() && !watched.finished(longest)) {
            }
          } catch (...) {
            failure_ = std::current_exception();
          }
          come_.signal();
        }} {}

  /// Waits for it, or for a signal; false: it is a signal.
  bool wait(const Signals& signals) {
    std::array<pollfd, 2> items{{{signals.fd(), POLLIN, 0}, {come_.descriptor(), POLLIN, 0}}};
    ::poll(items.data(), items.size(), -1);
    if (items[1].revents == 0) return false;
    waiting_.join();
    if (failure_) std::rethrow_exception(failure_);
    return true;
  }

 private:
  static constexpr std::chrono::milliseconds longest{1000};
  detail::Wake come_;
  std::exception_ptr failure_;
  std::jthread waiting_;  ///< Last: it uses the others.
};

}  // namespace

void try_reload(const std::function<void()>& reload) noexcept {
  try {
    reload();
  } catch (const std::exception& error) {
    say(LogLevel::error, std::string{error.what()} + "; nothing was changed");
  } catch (...) {
    say(LogLevel::error, "the reload failed; nothing was changed");
  }
}

bool watch(Signals& signals, const Watched& watched) {
  bool draining = false;
  for (End end{watched}; !end.wait(signals);) {
    while (const auto signal = signals.next()) {
      if (*signal == Signal::reload) {
        try_reload(watched.reload);
      } else if (draining) {
        say("stopping at once");
        watched.stop();
      } else {
        say("draining; a second signal stops at once");
        draining = true;
        watched.drain();
      }
    }
  }
  return draining;
}

}  // namespace busbar::program

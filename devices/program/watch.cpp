#include "program/watch.hpp"

#include "program/talk.hpp"

#include <exception>
#include <poll.h>
#include <string>

namespace busbar::program {
namespace {

// How late an end is seen: a stop has 100 ms in all.
constexpr std::chrono::milliseconds tick{20};

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

void wait_for_signal(const Signals& signals, std::chrono::milliseconds wait) {
  pollfd waiting{signals.descriptor(), POLLIN, 0};
  (void)::poll(&waiting, 1, static_cast<int>(wait.count()));
}

void watch(Signals& signals, const Watched& watched) {
  bool draining = false;
  while (!watched.finished()) {
    wait_for_signal(signals, tick);
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
}

}  // namespace busbar::program

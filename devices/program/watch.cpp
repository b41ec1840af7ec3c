#include "program/watch.hpp"

#include "program/talk.hpp"

#include <exception>
#include <string>

namespace busbar::program {
namespace {

// How late a signal is seen.
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

bool watch(Signals& signals, const Watched& watched) {
  bool draining = false;
  while (!watched.finished(tick)) {
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

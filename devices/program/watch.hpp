/// Waiting for what runs in other threads, and for signals.
#pragma once

#include <chrono>
#include <functional>

#include <busbar/core/signals.hpp>

namespace busbar::program {

struct Watched {
  std::function<bool()> finished;  ///< Asked every 50 ms.
  std::function<void()> drain;     ///< First SIGINT or SIGTERM.
  std::function<void()> stop;      ///< Second one.
  std::function<void()> reload;    ///< SIGHUP. Its errors are said.
};

/// Carries out a reload; whatever it throws is only said.
void try_reload(const std::function<void()>& reload) noexcept;

/// Returns when it has finished.
void watch(Signals& signals, const Watched& watched);

/// Waits for a signal, at most for `wait`.
void wait_for_signal(const Signals& signals, std::chrono::milliseconds wait);

}  // namespace busbar::program

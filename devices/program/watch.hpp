/// Waiting for what runs in other threads, and for signals.
#pragma once

#include <chrono>
#include <functional>

#include <busbar/core/signals.hpp>

namespace busbar::program {

struct Watched {
  /// Waits for the end, at most for so long; true: it has come.
  std::function<bool(std::chrono::milliseconds)> finished;
  std::function<void()> drain;   ///< First SIGINT or SIGTERM.
  std::function<void()> stop;    ///< Second one.
  std::function<void()> reload;  ///< SIGHUP. Its errors are said.
};

/// Carries out a reload; whatever it throws is only said.
void try_reload(const std::function<void()>& reload) noexcept;

/// Returns when it has finished; true: a signal asked it to.
bool watch(Signals& signals, const Watched& watched);

}  // namespace busbar::program

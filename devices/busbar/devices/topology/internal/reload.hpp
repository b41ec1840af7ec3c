/// The way from one set of running chains to the next.
#pragma once

#include <vector>

#include <busbar/devices/topology/internal/running_chain.hpp>

namespace busbar::detail {

/// Used once: `run`, then `chains`.
class Reload {
 public:
  Reload(Context& context, RunningChains old, std::vector<Chain> next);

  /// Keeps what did not change, drains the rest, starts what is new. Throws Error where that cannot
  /// start; then what was drained was started again.
  void run();
  /// What runs now, whichever way `run` ended.
  const RunningChains& chains() const noexcept { return running_; }
  /// How those came to their end that are not kept.
  const StopReport& ended() const noexcept { return ended_; }

 private:
  void match();
  void end_cut_off();
  bool waits_for_old(const Chain& chain) const;
  void start_independent();
  void end_old();
  void start_dependent();
  void start_old_again();
  void finish();

  Context& context_;
  RunningChains running_;
  std::vector<Chain> next_;
  RunningChains kept_;     ///< By position in `next_`; null where the chain is to be started.
  RunningChains leaving_;  ///< Of the old ones, those that are not kept.
  StopReport ended_;
  RunningChains fresh_;  ///< By position in `next_`, the others.
};

}  // namespace busbar::detail

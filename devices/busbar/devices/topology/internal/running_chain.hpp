/// A chain of devices at work, and the calls that go to several of them.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include <busbar/core/runner.hpp>
#include <busbar/devices/internal/relay.hpp>
#include <busbar/devices/topology/internal/chains.hpp>

namespace busbar::detail {

class RunningChain {
 public:
  /// Binds and connects; moves nothing yet. Throws Error that names the devices. An endpoint that
  /// is in use is tried again for `patience`: ZeroMQ frees one some time after its socket is
  /// closed.
  RunningChain(Context& context, Chain chain, std::chrono::milliseconds patience);

  const Chain& chain() const noexcept { return chain_; }
  /// Whether it has ended, by itself or by a failure, which its stop reports.
  bool ended(std::chrono::milliseconds timeout);
  Relay& relay() noexcept { return *relay_; }
  void run() { runner_.emplace(relay_); }
  /// Both as in Runner; a chain that was never run has finished.
  bool wait(std::chrono::milliseconds timeout) { return !runner_ || runner_->wait(timeout); }
  StopReport stop(std::chrono::milliseconds deadline);
  /// A chain to start in its place: with the addresses that the system chose for this one.
  Chain as_bound() const;
  /// Reads the allow-lists again; the chain was read anew from files and is equal but for them.
  void reload_allow_lists(const Chain& next);
  /// What is upstream has a smaller one; a reload may change it. Any thread.
  std::size_t level() const noexcept { return level_; }
  void set_level(std::size_t level) noexcept { level_ = level; }

 private:
  Chain chain_;
  std::atomic<std::size_t> level_;
  std::shared_ptr<Relay> relay_;
  std::optional<Runner> runner_;
};

using RunningChains = std::vector<std::shared_ptr<RunningChain>>;

/// All but the time.
void add(StopReport& sum, const StopReport& part);
/// Drains level by level, upstream first, then ends what is left. At the latest after `deadline`,
/// and at once where stop_all ends them meanwhile.
StopReport drain_all(const RunningChains& chains, std::chrono::milliseconds deadline);
/// Ends all at the same time.
StopReport stop_all(const RunningChains& chains, std::chrono::milliseconds deadline);

}  // namespace busbar::detail

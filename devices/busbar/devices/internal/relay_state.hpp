/// When a relay moves messages, and when it has drained: a pure machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <busbar/core/clock.hpp>

namespace busbar::detail {

enum class Phase { running, paused, draining, stopped };
std::string_view name_of(Phase phase) noexcept;

/// What a relay tells about one round.
struct Round {
  std::uint64_t read = 0;         ///< Messages read from the frontend.
  bool holds = false;             ///< A message waits for room.
  std::uint64_t replies_due = 0;  ///< Requests without a reply yet; queue proxies only.
};

class RelayState {
 public:
  Phase phase() const noexcept { return phase_; }
  bool moves() const noexcept { return phase_ == Phase::running || phase_ == Phase::draining; }

  void pause() noexcept;
  void resume() noexcept;
  /// `backlog`: what may have been queued inside at most when the drain began, if that can be
  /// known; whatever is read beyond it came later and is nobody's claim.
  void drain(TimePoint now, std::chrono::milliseconds deadline,
             std::optional<std::uint64_t> backlog) noexcept;
  void stop() noexcept { phase_ = Phase::stopped; }

  /// Ends a drain: nothing came for `quiet` and nothing is held or due, the backlog has passed, or
  /// the deadline has.
  void after_round(const Round& round, TimePoint now) noexcept;
  /// When a drain ends at the latest; TimePoint::max() where there was none.
  TimePoint deadline() const noexcept { return deadline_; }
  /// When after_round wants to be called at the latest; TimePoint::max() for never.
  TimePoint next_deadline() const noexcept;

  static constexpr Duration quiet = std::chrono::milliseconds{30};

 private:
  Phase phase_ = Phase::running;
  TimePoint deadline_ = TimePoint::max();
  TimePoint quiet_since_ = TimePoint::max();
  TimePoint next_look_ = TimePoint::max();
  std::optional<std::uint64_t> backlog_;
};

}  // namespace busbar::detail

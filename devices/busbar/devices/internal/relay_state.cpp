#include "busbar/devices/internal/relay_state.hpp"

#include <algorithm>
#include <array>

namespace busbar::detail {

std::string_view name_of(Phase phase) noexcept {
  constexpr std::array<std::string_view, 4> names{"running", "paused", "draining", "stopped"};
  return names[static_cast<std::size_t>(phase)];
}

void RelayState::pause() noexcept {
  if (phase_ == Phase::running) phase_ = Phase::paused;
}

void RelayState::resume() noexcept {
  if (phase_ == Phase::paused) phase_ = Phase::running;
}

void RelayState::drain(TimePoint now, std::chrono::milliseconds deadline,
                       std::optional<std::uint64_t> backlog) noexcept {
  if (phase_ == Phase::stopped) return;
  if (phase_ != Phase::draining) {
    quiet_since_ = now;
    backlog_ = backlog;
  }
  phase_ = Phase::draining;
  deadline_ = std::min(deadline_, after(now, deadline));
  next_look_ = now;
}

void RelayState::after_round(const Round& round, TimePoint now) noexcept {
  if (phase_ != Phase::draining) return;
  if (round.read > 0) quiet_since_ = now;
  if (backlog_) *backlog_ -= std::min(*backlog_, round.read);
  const bool is_quiet = now - quiet_since_ >= quiet;
  const bool nothing_left = is_quiet || backlog_ == 0;
  const bool all_done = nothing_left && !round.holds && round.replies_due == 0;
  if (all_done || now >= deadline_) phase_ = Phase::stopped;
  next_look_ = is_quiet ? deadline_ : quiet_since_ + quiet;
}

TimePoint RelayState::next_deadline() const noexcept {
  if (phase_ != Phase::draining) return TimePoint::max();
  return std::min(deadline_, next_look_);
}

}  // namespace busbar::detail

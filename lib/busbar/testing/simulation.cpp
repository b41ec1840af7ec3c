#include "busbar/testing/simulation.hpp"

#include <algorithm>
#include <cassert>

namespace busbar::testing {

Simulation::Simulation(std::uint64_t seed) : random_(seed) {
  // Not at the clock's origin, where "an hour ago" could not be told.
  clock_.advance(std::chrono::hours{24});
}

void Simulation::at(TimePoint time, std::function<void()> event) {
  events_.insert({std::max(time, now()), next_number_++, std::move(event)});
}

bool Simulation::run_next(TimePoint end) {
  if (events_.empty() || events_.begin()->time > end) return false;
  auto event = events_.extract(events_.begin());
  clock_.advance(event.value().time - now());
  event.value().run();
  return true;
}

void Simulation::run_for(Duration span) {
  const TimePoint end = now() + span;
  while (run_next(end)) {
  }
  clock_.advance(end - now());
}

bool Simulation::run_until(const std::function<bool()>& condition, Duration longest) {
  const TimePoint end = now() + longest;
  while (!condition()) {
    if (!run_next(end)) return false;
  }
  return true;
}

std::uint64_t Simulation::below(std::uint64_t bound) {
  assert(bound > 0);
  return random_() % bound;
}

bool Simulation::chance(double probability) {
  constexpr double steps = 1'000'000;
  return static_cast<double>(below(static_cast<std::uint64_t>(steps))) < probability * steps;
}

void Link::send(const std::function<void()>& deliver) {
  if (cut_ || world_->chance(faults_.drop)) {
    ++lost_;
    return;
  }
  const int copies = world_->chance(faults_.duplicate) ? 2 : 1;
  const auto spread = static_cast<std::uint64_t>((faults_.delay_max - faults_.delay_min).count());
  for (int i = 0; i < copies; ++i) {
    const std::chrono::milliseconds drawn{static_cast<std::int64_t>(world_->below(spread + 1))};
    TimePoint arrival = world_->now() + faults_.delay_min + drawn;
    if (!faults_.overtaking) arrival = std::max(arrival, last_arrival_);
    last_arrival_ = std::max(last_arrival_, arrival);
    world_->at(arrival, deliver);
  }
}

}  // namespace busbar::testing

/// Virtual time and faulty links, for testing protocols under loss, duplication, delay and restarts
/// within milliseconds of real time. Everything that happens follows from the seed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <random>
#include <set>

#include <busbar/core/clock.hpp>

namespace busbar::testing {

/// What a link does to what is sent over it.
struct Faults {
  double drop = 0;                         ///< Chance that it is lost, 0 to 1.
  double duplicate = 0;                    ///< Chance that it arrives twice.
  std::chrono::milliseconds delay_min{0};  ///< Each delay is drawn evenly between these.
  std::chrono::milliseconds delay_max{0};
  bool overtaking = false;  ///< Whether what is sent later may arrive earlier, where delays differ.
};

class Link;

/// Nodes are whatever the closures capture: each event runs at its time, in one thread, in the
/// order of time, then of scheduling. Not thread-safe; what is scheduled must live until it ran.
class Simulation {
 public:
  explicit Simulation(std::uint64_t seed = 1);

  TimePoint now() const noexcept { return clock_.now(); }
  /// The virtual clock, for what takes a Clock.
  const Clock& clock() const noexcept { return clock_; }

  void at(TimePoint time, std::function<void()> event);
  void after(Duration delay, std::function<void()> event) { at(now() + delay, std::move(event)); }
  /// Runs all events of the next `span`; afterwards `now` is later by just that.
  void run_for(Duration span);
  /// Runs until `condition` holds, asked after each event. False: it did not within `longest`.
  bool run_until(const std::function<bool()>& condition, Duration longest);

  /// 0 to `bound` - 1, evenly. Requires bound > 0.
  std::uint64_t below(std::uint64_t bound);
  /// True with the probability given.
  bool chance(double probability);

 private:
  struct Event {
    TimePoint time;
    std::uint64_t number;
    std::function<void()> run;
    bool operator<(const Event& other) const noexcept {
      return time != other.time ? time < other.time : number < other.number;
    }
  };
  bool run_next(TimePoint end);

  ManualClock clock_;
  std::mt19937_64 random_;
  std::set<Event> events_;
  std::uint64_t next_number_ = 0;
};

/// One direction from one node to another.
class Link {
 public:
  Link(Simulation& world, Faults faults) : world_(&world), faults_(faults) {}

  /// Calls `deliver` when the message arrives: never, once or twice, later than now.
  void send(const std::function<void()>& deliver);
  /// While it is cut, everything sent is lost; what is under way arrives.
  void cut() noexcept { cut_ = true; }
  void heal() noexcept { cut_ = false; }
  void set(Faults faults) noexcept { faults_ = faults; }
  std::uint64_t lost() const noexcept { return lost_; }

 private:
  Simulation* world_;
  Faults faults_;
  bool cut_ = false;
  TimePoint last_arrival_{};
  std::uint64_t lost_ = 0;
};

}  // namespace busbar::testing

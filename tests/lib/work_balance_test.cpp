#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/protocol/dispatcher.hpp>
#include <busbar/protocol/intake.hpp>
#include <busbar/testing/simulation.hpp>

using namespace busbar;
using namespace busbar::protocol;
using namespace std::chrono_literals;

namespace {

constexpr int jobs = 1000;

/// How long `jobs` take in virtual time, with workers that take so long for each.
Duration makespan(std::uint32_t credit, const std::vector<std::chrono::milliseconds>& speeds) {
  testing::Simulation world;
  Dispatcher pusher{{.id = 9}};
  std::uint64_t drawn = 0;
  struct Worker {
    Intake desk;
    bool busy = false;
  };
  std::vector<Worker> workers;
  for (std::size_t i = 0; i < speeds.size(); ++i) {
    workers.push_back({Intake{{.credit = credit, .draw = [&] { return ++drawn; }}}});
    workers.back().desk.connected("pusher");
  }
  std::function<void()> carry;
  const std::function<void(std::size_t)> work = [&](std::size_t i) {
    if (workers[i].busy) return;
    const auto item = workers[i].desk.take();
    if (!item) return;
    workers[i].busy = true;
    world.after(speeds[i], [&, i, ticket = item->ticket] {
      workers[i].busy = false;
      workers[i].desk.settle(ticket, Verdict::done);
      carry();
    });
  };
  carry = [&] {
    Outgoing out;
    for (bool said = true; said;) {
      said = false;
      for (std::size_t i = 0; i < workers.size(); ++i) {
        for (; workers[i].desk.next(out); said = true) {
          pusher.on_message(std::to_string(i), out.frames, world.now());
        }
      }
      for (; pusher.next(out); said = true) {
        workers[std::stoul(out.to)].desk.on_message("pusher", out.frames, world.now());
      }
    }
    for (std::size_t i = 0; i < workers.size(); ++i) work(i);
  };
  carry();
  for (int i = 0; i < jobs; ++i) pusher.push({.payload = Frame{"work", 4}});
  const TimePoint start = world.now();
  carry();
  REQUIRE(world.run_until([&] { return pusher.counts().done == jobs; }, 1h));
  return world.now() - start;
}

}  // namespace

TEST_CASE("workers of unequal speed finish nearly at once") {
  const std::vector speeds{1ms, 10ms};
  // Both busy to the end: 1.1 messages a millisecond.
  const Duration ideal = std::chrono::milliseconds{jobs * 10 / 11};
  for (const std::uint32_t credit : {1u, 2u, 4u, 8u}) {
    CAPTURE(credit);
    CHECK(makespan(credit, speeds) <= ideal * 11 / 10);
  }
  // Round-robin gives the slow one half of it.
  const Duration round_robin = 10ms * jobs / 2;
  CHECK(round_robin > 5 * makespan(4, speeds));
}

#include <vector>

#include <doctest/doctest.h>

#include <busbar/testing/simulation.hpp>

using namespace std::chrono_literals;
using busbar::testing::Faults;
using busbar::testing::Link;
using busbar::testing::Simulation;

namespace {

std::vector<int> arrivals(std::uint64_t seed, Faults faults) {
  Simulation world{seed};
  Link link{world, faults};
  std::vector<int> arrived;
  for (int i = 0; i < 1000; ++i) {
    world.after(std::chrono::milliseconds{i},
                [&, i] { link.send([&arrived, i] { arrived.push_back(i); }); });
  }
  world.run_for(1h);
  return arrived;
}

}  // namespace

TEST_CASE("events run in the order of their times, and those of one time in the order given") {
  Simulation world;
  std::vector<int> order;
  world.after(2s, [&] { order.push_back(3); });
  world.after(1s, [&] {
    order.push_back(1);
    world.after(0s, [&] { order.push_back(2); });
  });
  world.after(3s, [&] { order.push_back(4); });
  const busbar::TimePoint start = world.now();
  world.run_for(2s);
  CHECK(order == std::vector{1, 2, 3});
  CHECK(world.now() - start == 2s);
  CHECK(world.run_until([&] { return order.size() == 4; }, 1s));
  CHECK_FALSE(world.run_until([&] { return order.size() == 5; }, 1h));
}

TEST_CASE("a good link delivers everything in order, whatever the delays") {
  std::vector<int> all(1000);
  for (int i = 0; i < 1000; ++i) all[static_cast<std::size_t>(i)] = i;
  CHECK(arrivals(1, {}) == all);
  CHECK(arrivals(1, {.delay_max = 50ms}) == all);
}

TEST_CASE("a faulty link loses, doubles and reorders, as often as it was told and by the seed") {
  const Faults bad{.drop = 0.2, .duplicate = 0.1, .delay_max = 50ms, .overtaking = true};
  const auto once = arrivals(7, bad);
  CHECK(once == arrivals(7, bad));
  CHECK(once != arrivals(8, bad));
  CHECK(once.size() > 800);
  CHECK(once.size() < 960);
  CHECK_FALSE(std::is_sorted(once.begin(), once.end()));
}

TEST_CASE("nothing passes a link while it is cut, but what was under way arrives") {
  Simulation world;
  Link link{world, {.delay_min = 10ms, .delay_max = 10ms}};
  int arrived = 0;
  const auto count = [&] { ++arrived; };
  link.send(count);
  link.cut();
  link.send(count);
  world.run_for(1s);
  CHECK(arrived == 1);
  CHECK(link.lost() == 1);
  link.heal();
  link.send(count);
  world.run_for(1s);
  CHECK(arrived == 2);
}

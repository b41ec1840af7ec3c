#include <doctest/doctest.h>

#include <busbar/protocol/delay_gauge.hpp>

using namespace busbar;
using namespace busbar::protocol;
using namespace std::chrono_literals;

namespace {
constexpr TimePoint start{1h};
}

TEST_CASE("a delay is told from the quickest of late, and clocks may drift") {
  DelayGauge gauge;
  gauge.set(5000, start);
  CHECK(gauge.delay(5000, start) == 0ms);
  CHECK(gauge.delay(5100, start + 100ms) == 0ms);
  CHECK(gauge.delay(5200, start + 500ms) == 300ms);
  CHECK(gauge.delay(5500, start + 400ms) == 0ms);  // quicker than any before: clocks were set so
  CHECK(gauge.delay(5600, start + 600ms) == 100ms);
  CHECK(gauge.delay((std::uint64_t{7} << 32) + 5600, start + 600ms) == 100ms);  // 32 bits count
  // A clock that is slower by 500 us a second never looks late.
  DelayGauge drifting;
  drifting.set(1000, start);
  for (std::uint64_t second = 0; second < 1000; ++second)
    CHECK(drifting.delay(second * 1000 - second / 2 + 1000, start + std::chrono::seconds{second}) <=
          1ms);
}

TEST_CASE("what lay in a queue looks so after a quiet hour too") {
  DelayGauge gauge;
  gauge.set(1000, start);
  CHECK(gauge.delay(3'597'400, start + 1h) == 3540ms);  // 3.6 s in a queue, less what may be drift
  CHECK(gauge.delay(3'601'000, start + 1h) == 0ms);
}

TEST_CASE("clocks are taken to agree at first, and then to be as the quickest says") {
  DelayGauge gauge{1'700'000'000'000ms, start};
  const std::uint64_t sent = 1'700'000'000'000 + 3'600'000;
  CHECK(gauge.delay(sent, start + 20ms) == 20ms);
  CHECK(gauge.delay(sent + 3000, start + 1s) == 0ms);  // its clock is ahead of ours
  CHECK(gauge.delay(sent + 3000, start + 1500ms) == 500ms);
  gauge.set(sent - 60'000, start + 2s);  // or was set
  CHECK(gauge.delay(sent - 59'000, start + 3500ms) <= 500ms);
}

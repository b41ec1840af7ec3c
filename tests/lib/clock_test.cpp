#include <doctest/doctest.h>

#include <busbar/core/clock.hpp>

using namespace busbar;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

TEST_CASE("what is after a wait of any length can be told, in both directions") {
  constexpr TimePoint now{std::chrono::hours{1}};
  static_assert(after(now, 1s) == now + 1s);
  static_assert(after(now, -2h) == now - 2h);
  static_assert(after(now, 0ms) == now);
  static_assert(after(now, milliseconds::max()) == TimePoint::max());
  static_assert(after(now, milliseconds::min()) == TimePoint::min());
  static_assert(after(TimePoint::max(), 1ms) == TimePoint::max());
  static_assert(after(TimePoint::min(), -1ms) == TimePoint::min());
  static_assert(after(TimePoint::min(), milliseconds::max()) == TimePoint::max());
  static_assert(after(TimePoint::max(), milliseconds::min()) == TimePoint::min());
  static_assert(after(TimePoint::max(), -1ms) == TimePoint::max() - 1ms);
  static_assert(after(TimePoint::min(), 1ms) == TimePoint::min() + 1ms);
  // Times of a clock that has run for 290 years.
  static_assert(after(TimePoint::max() - 1s, 2s) == TimePoint::max());
  static_assert(after(TimePoint::min() + 1s, -2s) == TimePoint::min());
}

TEST_CASE("what is left until a time is never negative, and at most a day") {
  constexpr TimePoint now{std::chrono::hours{1}};
  static_assert(left_until(now + 1ns, now) == 1ms);
  static_assert(left_until(now, now) == 0ms);
  static_assert(left_until(TimePoint::min(), now) == 0ms);
  static_assert(left_until(TimePoint::max(), now) == 24h);
}

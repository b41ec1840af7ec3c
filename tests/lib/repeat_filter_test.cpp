#include <doctest/doctest.h>

#include <busbar/core/internal/repeat_filter.hpp>

using namespace busbar;
using namespace busbar::detail;
using namespace std::chrono_literals;

TEST_CASE("the same warning is let through once in ten seconds, another one at once") {
  RepeatFilter filter;
  const TimePoint start{1h};
  CHECK(filter.is_new("refused", start));
  CHECK_FALSE(filter.is_new("refused", start + 9s));
  CHECK(filter.is_new("other", start + 9s));
  CHECK(filter.is_new("refused", start + 10s));
}

TEST_CASE("very many different warnings do not add up in memory, and are all let through") {
  RepeatFilter filter;
  for (int i = 0; i < 10'000; ++i) CHECK(filter.is_new(std::to_string(i), TimePoint{1h}));
}

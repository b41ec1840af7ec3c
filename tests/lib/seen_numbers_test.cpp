#include <doctest/doctest.h>

#include <busbar/protocol/seen_numbers.hpp>

using namespace busbar::protocol;

TEST_CASE("numbers are seen once, and what is too far back counts as seen") {
  SeenNumbers seen;
  CHECK(seen.insert(5));
  CHECK_FALSE(seen.insert(5));
  CHECK(seen.insert(3));
  CHECK(seen.insert(4100));
  CHECK_FALSE(seen.insert(4));  // 4,096 back
  CHECK(seen.insert(6));
  CHECK_FALSE(seen.insert(5));
  CHECK(seen.insert(1'000'000));
  CHECK_FALSE(seen.insert(4100));
  CHECK(seen.insert(999'999));
  CHECK(seen.insert(UINT64_MAX));
  CHECK_FALSE(seen.insert(UINT64_MAX));
}

TEST_CASE("numbers that were refused are told from those that were held, or may come again") {
  SeenNumbers seen;
  seen.refuse(5);
  CHECK(seen.contains(5));
  CHECK(seen.was_refused(5));
  CHECK(seen.insert(6));
  CHECK_FALSE(seen.was_refused(6));
  seen.refuse(6);
  CHECK(seen.was_refused(6));
  seen.erase(6);
  CHECK_FALSE(seen.contains(6));
  CHECK(seen.insert(5 + 4096));
  CHECK(seen.contains(5));  // as all that is so far back
  CHECK_FALSE(seen.was_refused(5));
  CHECK_FALSE(seen.was_refused(5 + 4096));
  seen.erase(5);
  CHECK(seen.contains(5));
}

// What a publisher does about slow subscribers, and what they hear of it.
#include "support/way.hpp"

#include <doctest/doctest.h>

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::Way;

TEST_CASE("what a slow subscriber missed is counted, and fetched when it reads again") {
  for (const int forwarders : {0, 1}) {
    CAPTURE(forwarders);
    Way way{"tcp", forwarders};
    Publisher numbers =
        way.publisher({.history = {.messages = 100'000, .bytes = 1u << 30}, .queue = 10});
    Subscriber slow = way.subscriber({.queue = 10});
    std::uint64_t lost = 0;
    slow.on_gap([&](const Gap& gap) { lost += gap.missing(); });
    slow.subscribe("n");
    slow.wait_ready(10s);
    const std::string payload(20'000, 'x');
    constexpr std::uint64_t count = 5000;
    for (std::uint64_t i = 0; i < count; ++i) numbers.publish("n", payload);
    const PublisherLedger ledger = numbers.ledger();
    if (forwarders == 0) {
      CHECK(ledger.dropped > 0);
      CHECK(ledger.dropped_topics.at(0).topic == "n");
      CHECK(ledger.dropped_topics.at(0).messages == ledger.dropped);
      CHECK(ledger.slow_peers.size() == 1);
    }
    std::uint64_t received = 0;
    std::uint64_t last = 0;
    while (received + lost < count) {
      const auto message = slow.receive(20s);
      REQUIRE(message);
      REQUIRE(message->sequence() > last);
      last = message->sequence();
      ++received;
    }
    CHECK(received == count);
    if (forwarders == 0) CHECK(slow.ledger().recovered > 0);
  }
}

TEST_CASE("a gap that cannot be filled is told where it is") {
  Way way{"tcp", 0};
  Publisher numbers = way.publisher({.history = {.messages = 0}, .queue = 10});
  Subscriber slow = way.subscriber({.queue = 10});
  std::vector<Gap> gaps;
  slow.on_gap([&](const Gap& gap) { gaps.push_back(gap); });
  slow.subscribe("n");
  slow.wait_ready(10s);
  const std::string payload(20'000, 'x');
  std::uint64_t published = 0;
  while (numbers.ledger().dropped == 0) {
    numbers.publish("n", payload);
    ++published;
  }
  std::uint64_t received = 0;
  std::uint64_t missing = 0;
  while (received + missing < published) {
    if (slow.receive(20ms)) ++received;
    missing = 0;
    for (const Gap& gap : gaps) missing += gap.missing();
  }
  REQUIRE_FALSE(gaps.empty());
  CHECK(gaps[0].cause == GapCause::not_kept);
  CHECK(gaps[0].topic == "n");
  CHECK(gaps[0].publisher == numbers.id());
  CHECK(missing == numbers.ledger().dropped);
}

TEST_CASE("a publisher that blocks says full when its time is up, and one that cuts goes on") {
  Way way{"tcp", 0};
  const std::string payload(100'000, 'x');
  {
    Publisher numbers = way.publisher(
        {.slow = SlowSubscriber::block, .block_for = 50ms, .queue = 10, .queue_bytes = 1u << 20});
    Subscriber slow = way.subscriber({.queue = 10});
    slow.subscribe("n");
    slow.wait_ready(10s);
    std::uint64_t accepted = 0;
    while (numbers.publish("n", payload) == SendResult::sent) ++accepted;
    CHECK(numbers.ledger().refused == 1);
    CHECK(numbers.ledger().waiting * payload.size() <= (1u << 20));
    for (std::uint64_t i = 0; i < accepted; ++i) REQUIRE(slow.receive(10s));
  }
  {
    Publisher numbers = way.publisher({.history = {.bytes = 1u << 30},
                                       .slow = SlowSubscriber::disconnect,
                                       .block_for = 50ms,
                                       .queue = 10,
                                       .queue_bytes = 1u << 20});
    Subscriber slow = way.subscriber({.queue = 10});
    slow.subscribe("n");
    slow.wait_ready(10s);
    constexpr std::uint64_t count = 1000;
    std::uint64_t accepted = 0;
    const TimePoint end = std::chrono::steady_clock::now() + 20s;
    while (numbers.ledger().disconnected == 0 && std::chrono::steady_clock::now() < end) {
      if (accepted < count && numbers.publish("n", payload) == SendResult::sent) ++accepted;
    }
    CHECK(numbers.ledger().disconnected == 1);
    CHECK(numbers.ledger().slow_peers.size() == 1);
    // It comes back by itself, and gets what it missed.
    for (std::uint64_t i = 0; i < accepted; ++i) REQUIRE(slow.receive(20s));
  }
}

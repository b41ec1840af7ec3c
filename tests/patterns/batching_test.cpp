// Batches: when what gathers leaves, with a linger and without one.
#include "support/stock.hpp"
#include "support/way.hpp"

#include <doctest/doctest.h>

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::eventually;
using busbar::testing::Way;

namespace {

void publish(Publisher& numbers, int count, const std::string& payload = "x") {
  for (int i = 0; i < count; ++i) {
    REQUIRE(numbers.publish("n", payload) == SendResult::sent);
  }
}

/// More than the time in which one message after another is a flood; nothing is waited for.
void pause_of_a_slow_sender() {
  const TimePoint end = std::chrono::steady_clock::now() + 200us;
  while (std::chrono::steady_clock::now() < end) {
  }
}

}  // namespace

TEST_CASE("without a linger a lone message leaves in its caller's thread, batching or not") {
  for (const bool batched : {false, true}) {
    CAPTURE(batched);
    Way way{"tcp", 1};
    PublisherOptions options;
    if (batched) options.batching.emplace();
    Publisher numbers = way.publisher(options);
    Subscriber all = way.subscriber();
    all.subscribe("n");
    numbers.wait_for_subscribers("n", 1, 10s);
    for (std::uint64_t i = 1; i <= 20; ++i) {
      publish(numbers, 1);
      CHECK(numbers.ledger().sent == i);
      CHECK(numbers.ledger().batches == i);
      CHECK(all.receive(10s)->sequence() == i);
      pause_of_a_slow_sender();
    }
  }
}

TEST_CASE("with a linger a lone message leaves when that is over, and no sooner") {
  Way way{"tcp", 1};
  Publisher numbers = way.publisher({.batching = Batching{.linger = 200ms}});
  Subscriber all = way.subscriber();
  all.subscribe("n");
  numbers.wait_for_subscribers("n", 1, 10s);
  for (std::uint64_t i = 1; i <= 2; ++i) {
    const TimePoint begin = std::chrono::steady_clock::now();
    publish(numbers, 1);
    CHECK(all.receive(10s)->sequence() == i);
    const auto took = std::chrono::steady_clock::now() - begin;
    CHECK(took >= 200ms);
    CHECK(took < 5s);
  }
}

TEST_CASE("within a linger a slow sender's messages gather until a bound is reached") {
  Way way{"tcp", 0};
  const auto check = [&](Batching batching, const std::string& payload, std::uint32_t full) {
    batching.linger = 1h;
    way.publish_to = Endpoint{"tcp://127.0.0.1:*"};
    Publisher numbers = way.publisher({.batching = batching});
    Subscriber all = way.subscriber();
    all.subscribe("n");
    numbers.wait_for_subscribers("n", 1, 10s);
    for (std::uint64_t batch = 1; batch <= 3; ++batch) {
      for (std::uint32_t i = 1; i < full; ++i) {
        publish(numbers, 1, payload);
        pause_of_a_slow_sender();
      }
      const PublisherLedger before = numbers.ledger();
      CHECK(before.waiting == full - 1);
      CHECK(before.batches == batch - 1);
      publish(numbers, 1, payload);
      CHECK(numbers.ledger().waiting == 0);
      CHECK(numbers.ledger().batches == batch);
      for (std::uint32_t i = 1; i <= full; ++i) {
        CHECK(all.receive(10s)->sequence() == (batch - 1) * full + i);
      }
    }
  };
  check({.bytes = 1u << 20, .messages = 10}, "x", 10);
  check({.bytes = 10'000, .messages = 1000}, std::string(2000, 'x'), 5);
}

TEST_CASE("a linger keeps neither a flush nor the end of a publisher waiting") {
  Way way{"tcp", 1};
  Subscriber all = way.subscriber();
  all.subscribe("n");
  {
    Publisher numbers = way.publisher({.batching = Batching{.linger = 1h}});
    numbers.wait_for_subscribers("n", 1, 10s);
    publish(numbers, 3);
    CHECK(numbers.ledger().waiting == 3);
    numbers.flush(10s);
    CHECK(numbers.ledger().waiting == 0);
    publish(numbers, 3);
    CHECK(numbers.ledger().waiting == 3);
  }
  for (std::uint64_t i = 1; i <= 6; ++i) {
    const auto message = all.receive(10s);
    REQUIRE(message);
    CHECK(message->sequence() == i);
  }
}

TEST_CASE("batches of many topics that linger never take more than queue_bytes") {
  Way way{"tcp", 0};
  Publisher numbers =
      way.publisher({.batching = Batching{.linger = 1h}, .block_for = 20s, .queue_bytes = 50'000});
  Subscriber all = way.subscriber();
  all.subscribe("n.>");
  numbers.wait_for_subscribers("n.0", 1, 10s);
  const std::string payload(10'000, 'x');
  for (int i = 0; i < 20; ++i) {
    CHECK(numbers.publish("n." + std::to_string(i), payload) == SendResult::sent);
  }
  numbers.flush(10s);
  for (int i = 0; i < 20; ++i) CHECK(all.receive(10s));
}

TEST_CASE("a batch never gets larger than a message may be, whatever was open before") {
  Way way{"tcp", 0};
  Publisher numbers = way.publisher(
      {.batching = Batching{.linger = 1h}, .history = {.messages = 0}, .queue_bytes = 1u << 30});
  Subscriber all = way.subscriber();
  all.subscribe("n");
  all.wait_ready(10s);
  const std::string huge(limits::message_bytes - 300, 'x');
  publish(numbers, 1, std::string(200'000, 'a'));
  publish(numbers, 1, huge);
  publish(numbers, 1, "last");
  numbers.flush(10s);
  CHECK(all.receive(20s)->payload().size() == 200'000);
  CHECK(all.receive(20s)->payload().size() == huge.size());
  CHECK(all.receive(20s)->payload() == "last");
  CHECK_THROWS_WITH_AS(way.publisher({.batching = Batching{.bytes = limits::message_bytes + 1}}),
                       doctest::Contains("is no message"), Error);
}

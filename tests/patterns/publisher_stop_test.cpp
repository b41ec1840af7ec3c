// What a publisher does once it or its context is stopped, be it while somebody waits in it.
#include "support/stock.hpp"

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/core/socket.hpp>
#include <busbar/patterns/publisher.hpp>
#include <busbar/patterns/subscriber.hpp>

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::eventually;

namespace {

/// A subscriber that never reads, so that its publisher is full sooner or later.
struct Deaf {
  Deaf(Context& context, const Publisher& publisher)
      : socket(context, SocketType::sub,
               {.connect = publisher.bound(), .receive_queue = 1, .linger = 0ms}) {
    socket.subscribe(TopicPattern{">"});
  }
  Socket socket;
};

}  // namespace

TEST_CASE("after its context was stopped a publisher says so, and keeps its ledger") {
  for (const bool batches : {false, true}) {
    CAPTURE(batches);
    Context context;
    PublisherOptions options{.name = "prices", .bind = {"tcp://127.0.0.1:*"}};
    if (batches) options.batching = Batching{};
    Publisher prices{context, std::move(options)};
    REQUIRE(prices.publish("a", "1") == SendResult::sent);
    prices.flush(10s);
    CHECK(context.stop(10s).clean);
    for (int i = 0; i < 3; ++i) {
      CHECK_THROWS_WITH_AS(prices.publish("a", "2"), doctest::Contains("was stopped"), Error);
    }
    CHECK_THROWS_WITH_AS(prices.wait_for_subscribers("a", 1, 1h), doctest::Contains("was stopped"),
                         Error);
    prices.flush(1h);  // nothing is left
    const PublisherLedger ledger = prices.ledger();
    CHECK(ledger.published == 1);
    CHECK(ledger.sent == 1);
    CHECK(ledger.peers.empty());
    CHECK(prices.subscribers("a") == 0);
  }
}

TEST_CASE("a publisher's call that finds its context stopped sends nothing, and says so") {
  Context context;
  Publisher prices{context, {.bind = {"tcp://127.0.0.1:*"}}};
  std::uint64_t sent = 0;
  std::thread stopper{[&] { (void)context.stop(10s); }};
  const auto publish_on = [&] {
    while (true) sent += prices.publish("a", "1") == SendResult::sent ? 1 : 0;
  };
  CHECK_THROWS_WITH_AS(publish_on(), doctest::Contains("was stopped"), Error);
  stopper.join();
  CHECK(prices.ledger().published == sent);
  CHECK(prices.ledger().sent == sent);
}

TEST_CASE("who waits in a publisher is told when its context is stopped") {
  Context home;
  Context context;
  Publisher full{context,
                 {.bind = {"tcp://127.0.0.1:*"},
                  .slow = SlowSubscriber::block,
                  .block_for = std::chrono::milliseconds::max(),
                  .queue = 1}};
  const Deaf deaf{home, full};
  full.wait_for_subscribers("a", 1, 10s);
  const std::string payload(1u << 20, 'x');
  std::vector<std::function<void()>> calls{
      [&] { full.wait_for_subscribers("a", 2, std::chrono::milliseconds::max()); },
      [&] {
        while (full.publish("a", payload) == SendResult::sent) {
        }
      }};
  std::vector<std::thread> callers;
  for (const auto& call : calls) {
    callers.emplace_back(
        [&call] { CHECK_THROWS_WITH_AS(call(), doctest::Contains("was stopped"), Error); });
  }
  // For good: between two messages it may be full for a moment, and what waits may be an answer.
  std::uint64_t sent = 0;
  int looks = 0;
  CHECK(eventually([&] {
    const std::uint64_t now = full.ledger().sent;
    looks = now > 0 && now == sent ? looks + 1 : 0;
    sent = now;
    return looks > 100;
  }));
  CHECK(context.stop(10s).clean);
  for (std::thread& caller : callers) caller.join();
  CHECK_THROWS_WITH_AS(full.flush(1h), doctest::Contains("was stopped"), Error);
  const PublisherLedger ledger = full.ledger();
  CHECK(ledger.published == ledger.sent + ledger.waiting);
}

TEST_CASE("a publisher is stopped within its deadline, and says what it abandoned") {
  Context context;
  Publisher full{context,
                 {.bind = {"tcp://127.0.0.1:*"},
                  .batching = Batching{},
                  .slow = SlowSubscriber::block,
                  .block_for = 0ms,
                  .queue = 1}};
  const Deaf deaf{context, full};
  full.wait_for_subscribers("a", 1, 10s);
  const std::string payload(1u << 20, 'x');
  while (full.publish("a", payload) == SendResult::sent) {
  }
  const StopReport report = full.stop(50ms);
  CHECK_FALSE(report.clean);
  CHECK(report.abandoned == full.ledger().waiting);
  CHECK(report.took >= 50ms);
  CHECK(report.took < 10s);
  CHECK_THROWS_WITH_AS(full.publish("a", "1"), doctest::Contains("was stopped"), Error);
  CHECK(full.stop(0ms).abandoned == report.abandoned);
}

TEST_CASE("a publisher that is stopped has sent what was published, and its subscriber has it") {
  Context context;
  Publisher numbers{context, {.bind = {"tcp://127.0.0.1:*"}, .batching = Batching{}}};
  Subscriber all{context, {.connect = numbers.bound()}};
  all.subscribe("n");
  all.wait_ready(10s);
  for (int i = 0; i < 1000; ++i) numbers.publish("n", i);
  std::thread stopping{[&] { CHECK(numbers.stop(10s).clean); }};
  int received = 0;
  while (received < 1000 && all.receive(10s)) ++received;
  stopping.join();
  CHECK(received == 1000);
}

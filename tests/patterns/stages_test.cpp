// Publishers and subscribers on both sides of a forwarder that looks inside.
#include <thread>

#include <doctest/doctest.h>

#include <busbar/core/socket.hpp>
#include <busbar/devices/device.hpp>
#include <busbar/patterns/publisher.hpp>
#include <busbar/patterns/subscriber.hpp>

using namespace busbar;
using namespace std::chrono_literals;

namespace {

struct Hub {
  explicit Hub(std::vector<Stage> stages)
      : hub(context, {.frontend = {.bind = {"inproc://in"}},
                      .backend = {.bind = {"inproc://out"}},
                      .stages = std::move(stages),
                      .overflow = Overflow::block}),
        running(hub) {}
  Publisher publisher(PublisherOptions options = {}) {
    options.connect = {"inproc://in"};
    return Publisher{context, std::move(options)};
  }
  Subscriber subscriber(const TopicPattern& pattern) {
    Subscriber made{context, {.connect = {"inproc://out"}}};
    made.subscribe(pattern);
    return made;
  }

  Context context;
  Forwarder hub;
  Runner running;
};

}  // namespace

TEST_CASE("a renamed topic is waited for, joined late and received under its new name") {
  Hub hub{{busbar::rename("prices", "fx")}};
  Publisher prices = hub.publisher({.late_join = LateJoin::last_value});
  prices.publish("prices.eur", 1);
  Subscriber quotes = hub.subscriber("fx.*");
  prices.wait_for_subscribers("prices.eur", 1, 10s);
  CHECK(prices.subscribers("fx.eur") == 1);  // which passes as it is
  CHECK(prices.subscribers("other.eur") == 0);
  quotes.wait_ready(10s);
  prices.publish("prices.eur", 2);
  for (const int expected : {1, 2}) {
    const auto message = quotes.receive(10s);
    REQUIRE(message);
    CHECK(message->topic() == "fx.eur");
    CHECK(message->as<int>() == expected);
  }
}

TEST_CASE("what does not pass a forwarder is not counted as taken, and does not come by the side") {
  Hub hub{{only("a.>")}};
  Publisher all = hub.publisher({.late_join = LateJoin::history});
  all.publish("b.x", 1);
  Subscriber both = hub.subscriber(">");
  both.wait_ready(10s);
  all.publish("b.x", 2);
  all.publish("a.x", 3);
  const auto message = both.receive(10s);
  REQUIRE(message);
  CHECK(message->as<int>() == 3);
  CHECK(both.ledger().lost == 0);
}

TEST_CASE("the messages of a batch are translated one by one, and each is in the books") {
  Hub hub{{msgpack_to_json()}};
  Publisher numbers = hub.publisher(
      {.batching = Batching{.linger = 20ms}, .slow = SlowSubscriber::block, .block_for = 20s});
  Subscriber texts = hub.subscriber("n");
  texts.wait_ready(10s);
  for (int i = 1; i <= 100; ++i) numbers.publish("n", i, {.headers = {{"i", std::to_string(i)}}});
  for (int i = 1; i <= 100; ++i) {
    const auto message = texts.receive(10s);
    REQUIRE(message);
    CHECK(message->payload() == std::to_string(i));
    CHECK(message->header("i") == std::to_string(i));
    CHECK(message->sequence() == static_cast<std::uint64_t>(i));
  }
  CHECK(numbers.ledger().batches < 100);
  const Ledger ledger = hub.hub.ledger();
  CHECK(ledger.reconciles());
  REQUIRE(ledger.topics.size() == 1);
  CHECK(ledger.topics[0].messages == 100);
  CHECK(ledger.frontend.received >= 100);
}

TEST_CASE("what a stage samples away is told at once, and not asked for again") {
  Hub hub{{sample(2)}};
  Publisher numbers = hub.publisher();
  Subscriber some = hub.subscriber("n");
  std::uint64_t missing = 0;
  some.on_gap([&](const Gap& gap) {
    CHECK(gap.cause == GapCause::not_kept);
    missing += gap.missing();
  });
  numbers.wait_for_subscribers("n", 1, 10s);
  for (int i = 1; i <= 9; ++i) numbers.publish("n", i);
  for (int i = 1; i <= 9; i += 2) {
    const auto message = some.receive(10s);
    REQUIRE(message);
    CHECK(message->as<int>() == i);
  }
  CHECK(missing == 4);
  CHECK(some.ledger().recovered == 0);
}

TEST_CASE("a cache gives late subscribers what a stock publisher sent, and fills their gaps") {
  for (const LateJoin kept : {LateJoin::last_value, LateJoin::history}) {
    CAPTURE(name_of(kept));
    Context context;
    Forwarder hub{context,
                  {.name = "cache",
                   .frontend = {.bind = {"tcp://127.0.0.1:*"}},
                   .backend = {.bind = {"tcp://127.0.0.1:*"}, .queue = 10},
                   .overflow = Overflow::drop,
                   .cache = kept}};
    Runner running{hub};
    Socket stock{context, SocketType::xpub, {.connect = hub.frontend()}};
    REQUIRE(stock.receive(10s)->text(0) == "\1");  // the cache takes everything
    for (const char* payload : {"1", "2", "3"}) {
      REQUIRE(stock.send(Multipart{"t", payload}) == SendResult::sent);
    }
    REQUIRE(stock.send(Multipart{"not a topic", "x"}) == SendResult::sent);
    while (hub.ledger().frontend.received < 4) std::this_thread::yield();
    Subscriber late{context, {.connect = hub.backend(), .queue = 10}};
    std::uint64_t lost = 0;
    late.on_gap([&](const Gap& gap) { lost += gap.missing(); });
    late.subscribe("t");
    late.wait_ready(10s);
    for (std::uint64_t i = kept == LateJoin::history ? 1 : 3; i <= 3; ++i) {
      const auto message = late.receive(10s);
      REQUIRE(message);
      CHECK(message->payload() == std::to_string(i));
      CHECK(message->sequence() == i);
    }
    // More than the queues hold, and nobody reads.
    const std::string payload(70'000, 'x');
    for (int i = 0; i < 200; ++i) {
      REQUIRE(stock.send(Multipart{"t", payload}, 10s) == SendResult::sent);
    }
    for (std::uint64_t i = 4; i <= 203; ++i) {
      const auto message = late.receive(10s);
      REQUIRE(message);
      CHECK(message->sequence() == i);
    }
    CHECK(lost == 0);
    CHECK(hub.ledger().reconciles());
  }
  Context context;
  CHECK_THROWS_WITH_AS((Device{context,
                               DeviceKind::streamer,
                               {.frontend = {.bind = {"inproc://a"}},
                                .backend = {.bind = {"inproc://b"}},
                                .cache = LateJoin::history}}),
                       "streamer: a cache is for forwarders (leave it out)", Error);
}

// What publishers and subscribers refuse, what fits, and what is no loss.
#include <map>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include <busbar/patterns/publisher.hpp>
#include <busbar/patterns/subscriber.hpp>

using namespace busbar;
using namespace std::chrono_literals;

TEST_CASE("what is published while nobody subscribes to it is no loss, and it is joined anew") {
  Context context;
  Publisher both{context, {.bind = {"tcp://127.0.0.1:*"}}};
  Subscriber some{context, {.connect = both.bound()}};
  std::uint64_t missing = 0;
  some.on_gap([&](const Gap& gap) { missing += gap.missing(); });
  some.subscribe("a");
  some.subscribe("b");
  both.wait_for_subscribers("a", 1, 10s);
  both.wait_for_subscribers("b", 1, 10s);
  both.publish("a", "1");
  CHECK(some.receive(10s).value().payload() == "1");
  some.unsubscribe("a");
  const auto nobody = [&] { return both.subscribers("a") == 0; };
  const TimePoint end = std::chrono::steady_clock::now() + 10s;
  while (!nobody() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  REQUIRE(nobody());
  for (int i = 0; i < 5; ++i) both.publish("a", "nobody's");
  both.publish("b", "1");
  CHECK(some.receive(10s).value().topic() == "b");
  // Heads come within 100 ms, and say how far "a" is.
  CHECK_FALSE(some.receive(300ms));
  some.subscribe("a");
  some.wait_ready(10s);
  both.publish("a", "7");
  CHECK(some.receive(10s).value().payload() == "7");
  CHECK(missing == 0);
  CHECK(some.ledger().recovered == 0);
}

TEST_CASE("a subscriber with several patterns for a topic is one") {
  Context context;
  Publisher one{context, {.bind = {"inproc://one"}}};
  Subscriber two{context, {.connect = {"inproc://one"}}};
  for (const char* pattern : {"a.b", "a.*", ">"}) two.subscribe(pattern);
  two.wait_ready(10s);
  CHECK(one.subscribers("a.b") == 1);
}

TEST_CASE("two publishers that were given one name lose nothing by it") {
  Context context;
  const PublisherOptions options{.name = "copied", .bind = {"tcp://127.0.0.1:*"}};
  Publisher one{context, options};
  Publisher two{context, options};
  CHECK(one.id() != two.id());
  Subscriber both{context, {.connect = {one.bound().front(), two.bound().front()}}};
  std::map<GapCause, int> told;
  both.on_gap([&](const Gap& gap) { ++told[gap.cause]; });
  std::map<std::uint64_t, std::uint64_t> last;
  for (const char* topic : {"a", "b", "c"}) {  // both welcome each subscription
    both.subscribe(topic);
    both.wait_ready(2, 10s);
    for (int i = 0; i < 10; ++i) {
      one.publish(topic, std::to_string(i));
      two.publish(topic, std::to_string(i));
    }
    for (int i = 0; i < 20; ++i) {
      const auto message = both.receive(10s);
      REQUIRE(message);
      CHECK(message->topic() == topic);
      CHECK(message->sequence() == last[message->publisher()] % 10 + 1);
      ++last[message->publisher()];
    }
  }
  CHECK(both.ledger().lost == 0);
  CHECK(told == std::map<GapCause, int>{{GapCause::publisher_restarted, 1}});
}

TEST_CASE("a message fits in a frame with its topic and headers, or is refused") {
  Context context;
  Publisher large{context, {.bind = {"tcp://127.0.0.1:*"}, .slow = SlowSubscriber::block}};
  Subscriber all{context, {.connect = large.bound()}};
  all.subscribe("a");
  large.wait_for_subscribers("a", 1, 10s);
  const std::string payload(limits::message_bytes, 'x');
  const std::string_view view{payload};
  CHECK(large.publish("a", view) == SendResult::too_large);
  CHECK(large.publish("a", view.substr(40)) == SendResult::too_large);
  CHECK(large.publish("a", view.substr(1000), {.headers = {{"h", std::string(2000, 'y')}}}) ==
        SendResult::too_large);
  CHECK(large.publish("a", view.substr(100)) == SendResult::sent);
  const auto message = all.receive(30s);
  REQUIRE(message);
  CHECK(message->payload().size() == limits::message_bytes - 100);
}

TEST_CASE("what makes no sense is refused, and says why") {
  Context context;
  const auto make = [&](PublisherOptions options) {
    options.bind = {"tcp://127.0.0.1:*"};
    return Publisher{context, std::move(options)};
  };
  CHECK_THROWS_AS(make({.wire = Wire::plain, .batching = Batching{}}), Error);
  CHECK_THROWS_AS(make({.wire = Wire::plain, .late_join = LateJoin::history}), Error);
  CHECK_THROWS_AS(make({.name = std::string(241, 'n')}), Error);
  CHECK_THROWS_AS(make({.block_for = -1ms}), Error);
  Publisher plain = make({.wire = Wire::plain});
  CHECK_THROWS_AS(plain.publish("t", "x", {.headers = {{"h", "v"}}}), Error);
  CHECK_THROWS_AS(plain.wait_for_subscribers("a.*", 1, 1ms), Error);
  Subscriber late{context, {.connect = plain.bound()}};
  late.subscribe("t");
  CHECK_THROWS_WITH_AS(late.wait_ready(2, 1ms), doctest::Contains("fewer than 2 have answered"),
                       Error);
}

TEST_CASE("bad topics and payloads are refused, and nothing is sent") {
  Context context;
  Publisher prices{context, {.bind = {"inproc://prices"}}};
  CHECK_THROWS_AS(prices.publish("", 1), Error);
  CHECK_THROWS_AS(prices.publish("a..b", 1), Error);
  CHECK_THROWS_AS(prices.publish("\xff", 1), Error);
  CHECK(prices.publish("a", 1, {.headers = {{"h", std::string(100'000, 'x')}}}) ==
        SendResult::too_large);
  CHECK(prices.ledger().published == 0);
  CHECK(prices.ledger().refused == 1);
  CHECK_THROWS_AS((Publisher{context, {}}), Error);
}

TEST_CASE("wire = plain refuses what it cannot send before it waits for room") {
  Context context;
  Publisher plain{context, {.bind = {"tcp://127.0.0.1:*"}, .wire = Wire::plain}};
  for (const char* topic : {"", "a..b", "a.*", "\xff"}) {
    CHECK_THROWS_AS(plain.publish(topic, "x"), Error);
  }
  CHECK_THROWS_AS(plain.publish("a", "x", {.stream = "stream"}), Error);
  CHECK(plain.ledger().published == 0);
  CHECK(plain.publish("a", "x") == SendResult::sent);
}

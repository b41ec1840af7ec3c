// Publishers and subscribers on real sockets: one suite for every transport and way, batched or
// not.
#include "support/stock.hpp"
#include "support/way.hpp"

#include <map>
#include <set>
#include <thread>

#include <doctest/doctest.h>

#include <busbar/core/socket.hpp>

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::eventually;
using busbar::testing::Way;

namespace {

template <class Test>
void every_way(Test test) {
  for (const std::string transport : {"inproc", "ipc", "tcp"}) {
    for (const int forwarders : {0, 1, 3}) {
      for (const bool batched : {false, true}) {
        CAPTURE(transport);
        CAPTURE(forwarders);
        CAPTURE(batched);
        Way way{transport, forwarders};
        way.batched = batched;
        test(way);
      }
    }
  }
}

}  // namespace

TEST_CASE("the first message reaches a subscriber that was waited for, on every way") {
  every_way([](Way& way) {
    Publisher prices = way.publisher();
    Subscriber quotes = way.subscriber();
    quotes.subscribe("prices.*");
    prices.wait_for_subscribers("prices.eur", 1, 10s);
    CHECK(prices.publish("prices.eur", 1.25, {.headers = {{"trace", "abc"}}}) == SendResult::sent);
    CHECK(prices.publish("prices", "not wanted") == SendResult::sent);
    CHECK(prices.publish("prices.usd", "bytes") == SendResult::sent);
    const auto first = quotes.receive(10s);
    REQUIRE(first);
    CHECK(first->topic() == "prices.eur");
    CHECK(first->as<double>() == 1.25);
    CHECK(first->header("trace") == "abc");
    CHECK(first->sequence() == 1);
    CHECK(first->publisher() == prices.id());
    CHECK(std::chrono::system_clock::now() - first->time() < 1min);
    const auto second = quotes.receive(10s);
    REQUIRE(second);
    CHECK(second->payload() == "bytes");
    CHECK(second->headers().empty());
    CHECK(quotes.receive() == std::nullopt);
  });
}

TEST_CASE("streams within a topic are numbered, kept and recovered apart") {
  every_way([](Way& way) {
    PublisherOptions options;
    options.late_join = LateJoin::last_value;
    Publisher orders = way.publisher(options);
    const auto order = [&](const std::string& customer, int number) {
      CHECK(orders.publish("orders", number,
                           {.headers = {{"customer", customer}}, .stream = customer}) ==
            SendResult::sent);
    };
    order("a", 1);
    order("b", 10);
    order("a", 2);
    orders.flush(10s);  // what is sent when one joins comes to it as an update
    Subscriber late = way.subscriber();
    late.subscribe("orders");
    late.wait_ready(10s);
    order("b", 11);
    order("", 100);
    std::map<std::string, std::vector<int>> numbers;
    std::map<std::string, std::uint64_t> sequences;
    for (int i = 0; i < 4; ++i) {
      const auto message = late.receive(10s);
      REQUIRE(message);
      const std::string customer{message->header("customer")};
      numbers[customer].push_back(message->as<int>());
      sequences[customer] = message->sequence();
    }
    CHECK(numbers ==
          std::map<std::string, std::vector<int>>{{"a", {2}}, {"b", {10, 11}}, {"", {100}}});
    CHECK(sequences == std::map<std::string, std::uint64_t>{{"a", 2}, {"b", 2}, {"", 1}});
    CHECK_THROWS_AS(
        orders.publish("orders", 1, {.stream = std::string(limits::topic_bytes + 1, 'x')}), Error);
  });
}

TEST_CASE("subscribers are counted on every way, and a lack of them is said") {
  every_way([](Way& way) {
    Publisher prices = way.publisher();
    CHECK_THROWS_WITH_AS(prices.wait_for_subscribers("prices.eur", 1, 1ms),
                         "wait for subscribers to 'prices.eur': 0 of 1 after 1 ms (start them, or "
                         "look at what they subscribe to)",
                         Error);
    std::vector<Subscriber> quotes;
    for (const char* pattern : {"prices.eur", "prices.>", ">", "prices.usd", "prices.eu"}) {
      quotes.push_back(way.subscriber());
      quotes.back().subscribe(pattern);
    }
    prices.wait_for_subscribers("prices.eur", 3, 10s);
    prices.wait_for_subscribers("prices.usd", 3, 10s);
    prices.wait_for_subscribers("prices.eu", 3, 10s);
    CHECK(prices.subscribers("prices.eur") == 3);
    for (Subscriber& one : quotes) one.wait_ready(10s);
    quotes.erase(quotes.begin() + 1);
    CHECK(eventually([&] { return prices.subscribers("prices.eur") == 2; }));
  });
}

TEST_CASE("a flood arrives in order and whole, batched or not, on every way") {
  every_way([](Way& way) {
    Publisher numbers = way.publisher({.slow = SlowSubscriber::block, .block_for = 20s});
    Subscriber all = way.subscriber();
    all.subscribe("n.>");
    all.wait_ready(10s);
    constexpr int count = 20'000;
    std::thread sender{[&] {
      for (int i = 0; i < count; ++i) {
        Headers headers;
        if (i % 1000 == 0) headers = {{"i", std::to_string(i)}};
        CHECK(numbers.publish(i % 3 == 0 ? "n.a" : "n.b", i, {.headers = headers}) ==
              SendResult::sent);
      }
    }};
    std::map<std::string, int, std::less<>> last{{"n.a", -1}, {"n.b", -1}};
    int received = 0;
    for (const Message& message : all.messages(10s)) {
      const int i = message.as<int>();
      if (i % 1000 == 0) CHECK(message.header("i") == std::to_string(i));
      int& before = last.find(message.topic())->second;
      REQUIRE(i > before);
      before = i;
      if (++received == count) break;
    }
    sender.join();
    const SubscriberLedger got = all.ledger();
    CHECK(received == count);
    numbers.flush(10s);
    const PublisherLedger ledger = numbers.ledger();
    CHECK(ledger.published == count);
    CHECK(ledger.sent == count);
    CHECK(ledger.waiting == 0);
    CHECK(ledger.dropped == 0);
    if (way.batched) CHECK(ledger.batches < count / 2);
    CHECK(got.lost == 0);
    CHECK(got.received == got.delivered + got.duplicates + got.unwanted + got.malformed);
  });
}

TEST_CASE("a late joiner gets the last value of each topic, then the updates, on every way") {
  every_way([](Way& way) {
    Publisher prices = way.publisher({.late_join = LateJoin::last_value});
    Subscriber early = way.subscriber();
    early.subscribe(">");
    prices.wait_for_subscribers("p.a", 1, 10s);
    for (int i = 1; i <= 5; ++i) {
      prices.publish("p.a", i);
      prices.publish("p.b", 10 * i);
    }
    // What is still on its way when one joins is delivered too.
    for (int i = 0; i < 10; ++i) REQUIRE(early.receive(10s));
    Subscriber late = way.subscriber();
    late.subscribe("p.>");
    late.wait_ready(10s);
    prices.publish("p.a", 6);
    std::multiset<int> got;
    while (got.size() < 3) {
      const auto message = late.receive(10s);
      REQUIRE(message);
      got.insert(message->as<int>());
    }
    CHECK(got == std::multiset{5, 6, 50});
    CHECK(early.receive(10s));
    CHECK_FALSE(early.receive(50ms));  // what was sent to the other one was not for this one
  });
}

TEST_CASE(
    "one that comes and goes is waited for through two forwarders, and waits for publishers") {
  for (const bool batched : {false, true}) {
    CAPTURE(batched);
    Way way{"tcp", 2};
    way.batched = batched;
    Publisher prices = way.publisher();
    Publisher others = way.publisher();
    Subscriber stays = way.subscriber();
    stays.subscribe("p.>");
    stays.wait_ready(2, 10s);
    std::uint64_t sequence = 0;
    for (int round = 0; round < 10; ++round) {
      CAPTURE(round);
      Subscriber comes = way.subscriber();
      comes.subscribe(round % 4 < 2 ? "p.a" : "p.*");
      // Either end may wait; what is published then reaches it.
      if (round % 2 == 0) {
        prices.wait_for_subscribers("p.a", 2, 10s);
      } else {
        comes.wait_ready(2, 10s);
        CHECK(prices.subscribers("p.a") == 2);
        CHECK(others.subscribers("p.a") == 2);
      }
      for (int i = 0; i < 3; ++i) CHECK(prices.publish("p.a", i) == SendResult::sent);
      for (int i = 0; i < 3; ++i) {
        const auto message = comes.receive(10s);
        REQUIRE(message);
        CHECK(message->as<int>() == i);
        CHECK(message->sequence() == ++sequence);
      }
      CHECK(comes.ledger().lost == 0);
      { const Subscriber gone = std::move(comes); }
      // No longer counted, nor is the one that stays forgotten.
      CHECK(eventually([&] { return prices.subscribers("p.a") == 1; }));
      CHECK_THROWS_AS(prices.wait_for_subscribers("p.a", 2, 1ms), Error);
    }
    for (std::uint64_t i = 1; i <= sequence; ++i) CHECK(stays.receive(10s)->sequence() == i);
  }
}

TEST_CASE("a late joiner gets the history, in order") {
  Way way{"tcp", 1};
  Publisher prices = way.publisher({.late_join = LateJoin::history});
  for (int i = 1; i <= 50; ++i) prices.publish("p.a", i);
  Subscriber late = way.subscriber();
  late.subscribe("p.a");
  for (int i = 1; i <= 50; ++i) {
    const auto message = late.receive(10s);
    REQUIRE(message);
    CHECK(message->as<int>() == i);
  }
}

TEST_CASE("stock sockets take part: plain publishers and plain subscribers") {
  Way way{"tcp", 0};
  Publisher plain = way.publisher({.wire = Wire::plain});
  Subscriber ours = way.subscriber();
  ours.subscribe("t");
  Socket stock{way.context, SocketType::sub, {.connect = {way.subscribe_at}}};
  stock.subscribe("t");
  plain.wait_for_subscribers("t", 2, 10s);
  plain.publish("t", "hello");
  const auto message = ours.receive(10s);
  REQUIRE(message);
  CHECK(message->topic() == "t");
  CHECK(message->payload() == "hello");
  CHECK(message->sequence() == 0);
  const auto frames = stock.receive(10s);
  REQUIRE(frames);
  REQUIRE(frames->size() == 2);
  CHECK(frames->text(1) == "hello");

  Socket pub{way.context, SocketType::xpub, {.bind = {"tcp://127.0.0.1:*"}}};
  Subscriber of_stock{way.context, {.connect = pub.bound()}};
  of_stock.subscribe("a.>");
  while (pub.receive(10s)->text(0) != "\1a.") {
  }
  CHECK(pub.send(Multipart{"a.b", "two"}) == SendResult::sent);
  CHECK(pub.send(Multipart{"a.c"}) == SendResult::sent);
  CHECK(of_stock.receive(10s)->payload() == "two");
  CHECK(of_stock.receive(10s)->topic() == "a.c");
  CHECK(pub.send(Multipart{"a.d", "two", "", "four"}) == SendResult::sent);
  const auto long_one = of_stock.receive(10s);
  REQUIRE(long_one);
  CHECK(long_one->payload() == "two");
  REQUIRE(long_one->further().size() == 2);
  CHECK(text(long_one->further()[1]) == "four");
  CHECK_THROWS_AS(of_stock.wait_ready(1ms), Error);
}

TEST_CASE("a restarted publisher is noticed by its name") {
  Way way{"tcp", 1};
  std::vector<GapCause> causes;
  Subscriber quotes = way.subscriber();
  quotes.on_gap([&](const Gap& gap) { causes.push_back(gap.cause); });
  quotes.subscribe("p");
  for (int life = 0; life < 2; ++life) {
    Publisher prices = way.publisher({.name = "prices"});
    prices.wait_for_subscribers("p", 1, 10s);
    prices.publish("p", life);
    const auto message = quotes.receive(10s);
    REQUIRE(message);
    CHECK(message->as<int>() == life);
    CHECK(message->sequence() == 1);
  }
  CHECK(causes == std::vector{GapCause::publisher_restarted});
}

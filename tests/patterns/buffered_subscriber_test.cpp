#include "support/stock.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <sys/resource.h>
#include <thread>

#include <doctest/doctest.h>

#include <busbar/core/socket.hpp>
#include <busbar/patterns/buffered_subscriber.hpp>
#include <busbar/patterns/internal/message_buffer.hpp>
#include <busbar/patterns/publisher.hpp>
#include <busbar/protocol/header.hpp>

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::eventually;

namespace {

Message made(std::string topic, std::string payload) {
  const auto owned = std::make_shared<const std::pair<std::string, std::string>>(
      std::move(topic), std::move(payload));
  return Message{owned, owned->first, owned->second};
}

std::string contents(detail::MessageBuffer& buffer) {
  std::string all;
  while (const auto message = buffer.take()) all += message->payload();
  return all;
}

}  // namespace

TEST_CASE("a full buffer drops by its policy, and its books reconcile") {
  const std::map<WhenFull, std::string> left{{WhenFull::drop_oldest, "cde"},
                                             {WhenFull::drop_newest, "abc"},
                                             {WhenFull::keep_latest, "de"}};
  for (const auto& [policy, expected] : left) {
    detail::MessageBuffer buffer{policy, 3, 1000};
    for (const char* payload : {"a", "b", "c", "d", "e"}) {
      buffer.offer(made(*payload % 2 == 0 ? "even" : "odd", payload));
    }
    const BufferLedger before = buffer.ledger();
    CHECK(before.waiting == expected.size());
    CHECK(before.waiting + before.dropped == 5);
    CHECK(contents(buffer) == expected);
    CHECK(buffer.ledger().taken == expected.size());
    CHECK(buffer.ledger().waiting_bytes == 0);
    CHECK_FALSE(buffer.ledger().dropped_topics.empty());
  }
}

TEST_CASE("of each stream of each publisher the latest is kept") {
  detail::MessageBuffer buffer{WhenFull::keep_latest, 100, 1000};
  const auto offer = [&](const char* payload, std::uint64_t publisher, std::uint32_t stream) {
    Message message = made("orders", payload);
    message.set_origin({.publisher = publisher, .stream = stream}, 1);
    buffer.offer(std::move(message));
  };
  offer("a", 1, 1);  // the topic's own
  offer("b", 1, 2);  // a customer's
  offer("c", 2, 2);  // another publisher's number 2 is another customer's
  offer("d", 0, 0);  // a stock publisher's
  offer("e", 1, 2);
  offer("f", 0, 0);
  CHECK(buffer.ledger().dropped == 2);
  CHECK(contents(buffer) == "acef");
}

TEST_CASE("a buffer is bounded in bytes, and one large message still passes") {
  detail::MessageBuffer buffer{WhenFull::drop_oldest, 1000, 10};
  buffer.offer(made("t", std::string(100, 'x')));
  CHECK(buffer.ledger().waiting == 1);
  buffer.offer(made("t", "123456"));
  buffer.offer(made("t", "789"));
  CHECK(contents(buffer) == "123456789");
  CHECK(buffer.ledger().dropped == 1);
}

TEST_CASE("a program that does not read never makes its publisher drop") {
  Context context;
  Publisher numbers{context,
                    {.bind = {"tcp://127.0.0.1:*"},
                     .slow = SlowSubscriber::block,
                     .block_for = 20s,
                     .queue = 10}};
  BufferedSubscriber lazy{context,
                          {.connect = numbers.bound(), .queue = 10},
                          {.patterns = {"n"}, .when_full = WhenFull::keep_latest}};
  lazy.wait_ready(10s);
  const std::string payload(10'000, 'x');
  for (int i = 0; i < 2000; ++i) {
    REQUIRE(numbers.publish("n", payload) == SendResult::sent);
  }
  numbers.publish("n", "last");
  std::optional<Message> message;
  do {
    message = lazy.receive(10s);
    REQUIRE(message);
  } while (message->payload() != "last");
  CHECK(numbers.ledger().dropped == 0);
  const BufferLedger ledger = lazy.ledger();
  CHECK(ledger.dropped > 0);
  CHECK(ledger.subscriber.delivered == 2001);
  CHECK(ledger.taken + ledger.waiting + ledger.dropped == 2001);
  CHECK(ledger.reconciles());
  CHECK(ledger.dropped_topics.at(0).topic == "n");
}

TEST_CASE("a program that reads late gets the latest of each customer") {
  Context context;
  Publisher orders{context, {.bind = {"tcp://127.0.0.1:*"}}};
  BufferedSubscriber lazy{context,
                          {.connect = orders.bound()},
                          {.patterns = {"orders"}, .when_full = WhenFull::keep_latest}};
  lazy.wait_ready(10s);
  for (const char* payload : {"1", "2", "3"}) {
    for (const char* customer : {"customer-7", "customer-8"}) {
      orders.publish("orders", std::string{customer} + payload, {.stream = customer});
    }
  }
  orders.publish("orders", "end");
  std::vector<std::string> read;
  while (lazy.ledger().subscriber.delivered < 7) std::this_thread::yield();
  while (read.empty() || read.back() != "end") {
    const auto message = lazy.receive(10s);
    REQUIRE(message);
    read.emplace_back(message->payload());
  }
  CHECK(read == std::vector<std::string>{"customer-73", "customer-83", "end"});
}

TEST_CASE("a waiting reader of a buffer is stopped, and bad bounds are refused") {
  Context context;
  Publisher none{context, {.bind = {"inproc://none"}}};
  BufferedSubscriber waiting{context, {.connect = {"inproc://none"}}, {.patterns = {">"}}};
  std::thread stopper{[&] { waiting.stop(); }};
  for (const Message& message : waiting.messages()) FAIL(message.topic());
  stopper.join();
  CHECK(waiting.stopped());
  CHECK_FALSE(waiting.receive(1h));
  CHECK_FALSE(waiting.receive());
  CHECK_THROWS_AS((BufferedSubscriber{context, {.connect = {"inproc://none"}}, {}}), Error);
  CHECK_THROWS_AS((BufferedSubscriber{
                      context, {.connect = {"inproc://none"}}, {.patterns = {">"}, .messages = 0}}),
                  Error);
}

TEST_CASE("a gap is told without a lock, and what its handler throws is logged") {
  std::mutex mutex;
  std::vector<std::string> logged;
  Context context{{.log = [&](LogLevel level, std::string_view text) {
    const std::scoped_lock lock(mutex);
    if (level == LogLevel::error) logged.emplace_back(text);
  }}};
  Socket strange{context, SocketType::xpub, {.bind = {"tcp://127.0.0.1:*"}}};
  BufferedSubscriber lossy{context,
                           {.name = "lossy", .connect = strange.bound(), .recover = false},
                           {.patterns = {"n"}}};
  std::uint64_t missing = 0;
  lossy.on_gap([&](const Gap& gap) {
    missing += gap.missing();
    (void)lossy.ledger();
    (void)lossy.receive(0ms);
    if (missing == 3) lossy.stop();
    missing == 1 ? throw std::runtime_error{"a bad day"} : throw 7;
  });
  while (strange.receive(10s)->text(0) != "\1n") {
  }
  for (const std::uint64_t number : {1u, 3u, 5u, 7u}) {
    const protocol::Header header{.publisher = 9, .stream = 1, .sequence = number};
    CHECK(strange.send(Multipart{"n" + encode(header) + "x"}) == SendResult::sent);
  }
  CHECK(eventually([&] {
    const std::scoped_lock lock(mutex);
    return logged.size() == 3;
  }));
  while (lossy.receive(1h)) {  // until it is stopped
  }
  CHECK(missing == 3);
  const std::scoped_lock lock(mutex);
  CHECK(logged.front() == "'lossy': on_gap threw: a bad day");
  CHECK(logged.back() == "'lossy': on_gap threw: what is no std::exception");
}

TEST_CASE("a buffered subscriber shows in its ledger what is no message, and rests") {
  Context context;
  Publisher numbers{context, {.bind = {"tcp://127.0.0.1:*"}}};
  Socket stock{context, SocketType::xpub, {.bind = {"tcp://127.0.0.1:*"}}};
  BufferedSubscriber ready{context, {.connect = numbers.bound()}, {.patterns = {"n"}}};
  BufferedSubscriber never_ready{context, {.connect = stock.bound()}, {.patterns = {"n"}}};
  ready.wait_ready(std::chrono::milliseconds::max());
  CHECK(numbers.publish("now", "not wanted") == SendResult::sent);
  CHECK(eventually([&] { return ready.ledger().subscriber.unwanted == 1; }));
  while (stock.receive(10s)->text(0) != "\1n") {
  }
  const auto switches = [] {
    rusage use{};
    getrusage(RUSAGE_SELF, &use);
    return use.ru_nvcsw;
  };
  const auto before = switches();
  CHECK_FALSE(never_ready.receive(300ms));
  CHECK(switches() - before < 150);
  CHECK(stock.send(Multipart{"n", "late"}) == SendResult::sent);
  CHECK(never_ready.receive(10s).value().payload() == "late");
}

TEST_CASE("waiting for a buffered subscriber that is stopped says that it is") {
  Context context;
  Socket stock{context, SocketType::xpub, {.bind = {"tcp://127.0.0.1:*"}}};
  BufferedSubscriber stopped{context, {.connect = stock.bound()}, {.patterns = {"n"}}};
  stopped.stop();
  CHECK_THROWS_WITH_AS(stopped.wait_ready(1h), doctest::Contains("it was stopped"), Error);
}

TEST_CASE("a buffered subscriber ends with its context") {
  for (const bool early : {true, false}) {
    CAPTURE(early);
    Context home;
    Context context;
    Publisher numbers{home, {.bind = {"tcp://127.0.0.1:*"}}};
    BufferedSubscriber all{context, {.connect = numbers.bound()}, {.patterns = {"n"}}};
    if (!early) all.wait_ready(10s);
    std::thread stopper{[&] { (void)context.stop(0ms); }};
    CHECK_FALSE(all.receive(1h));
    stopper.join();
  }
}

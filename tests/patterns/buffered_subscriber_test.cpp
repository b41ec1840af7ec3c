#include <map>
#include <memory>
#include <thread>

#include <doctest/doctest.h>

#include <busbar/patterns/buffered_subscriber.hpp>
#include <busbar/patterns/internal/message_buffer.hpp>
#include <busbar/patterns/publisher.hpp>

using namespace busbar;
using namespace std::chrono_literals;

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
    CHECK(before.held == expected.size());
    CHECK(before.held + before.dropped == 5);
    CHECK(contents(buffer) == expected);
    CHECK(buffer.ledger().taken == expected.size());
    CHECK(buffer.ledger().held_bytes == 0);
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
  CHECK(buffer.ledger().held == 1);
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
    REQUIRE(numbers.publish("n", payload) == PublishResult::sent);
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
  CHECK(ledger.taken + ledger.held + ledger.dropped == 2001);
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
      orders.publish("orders", std::string{customer} + payload, {}, customer);
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
  CHECK_FALSE(waiting.receive(1h));
  stopper.join();
  CHECK_THROWS_AS((BufferedSubscriber{context, {.connect = {"inproc://none"}}, {}}), Error);
  CHECK_THROWS_AS((BufferedSubscriber{
                      context, {.connect = {"inproc://none"}}, {.patterns = {">"}, .messages = 0}}),
                  Error);
}

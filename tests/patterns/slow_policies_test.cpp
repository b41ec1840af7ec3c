// What becomes of messages that a slow subscriber does not take: each policy directly, and through
// forwarders.
#include "support/stock.hpp"
#include "support/way.hpp"

#include <doctest/doctest.h>

#include <busbar/patterns/buffered_subscriber.hpp>
#include <busbar/protocol/message_frame.hpp>
#include <busbar/protocol/pubsub_control.hpp>

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::eventually;
using busbar::testing::Way;

namespace {

constexpr int count = 300;

/// Publishes `count` numbers for three customers to one who reads none of them yet; answers what is
/// left for it then.
std::vector<int> left_by(WhenFull policy, int forwarders, bool batched) {
  Way way{"tcp", forwarders};
  PublisherOptions options{.slow = SlowSubscriber::block, .block_for = 20s, .queue = 10};
  if (batched) options.batching.emplace();
  Publisher numbers = way.publisher(std::move(options));
  BufferedSubscriber lazy{way.context,
                          {.connect = {way.subscribe_at}, .queue = 10},
                          {.patterns = {"n"}, .when_full = policy, .messages = 20}};
  lazy.wait_ready(10s);
  for (int i = 0; i < count; ++i) {
    REQUIRE(numbers.publish("n", i, {.stream = "customer " + std::to_string(i % 3)}) ==
            SendResult::sent);
  }
  numbers.flush(10s);
  REQUIRE(eventually([&] { return lazy.ledger().subscriber.delivered == count; }));
  const BufferLedger ledger = lazy.ledger();
  CHECK(ledger.dropped + ledger.waiting == count);
  CHECK(ledger.dropped_topics.at(0).topic == "n");
  CHECK(ledger.dropped_topics.at(0).messages == ledger.dropped);
  CHECK(ledger.subscriber.lost == 0);
  CHECK(numbers.ledger().dropped == 0);
  for (const auto& hub : way.hubs) CHECK(hub->ledger().backend[Cause::overflow] == 0);
  std::vector<int> left;
  for (std::uint64_t i = 0; i < ledger.waiting; ++i) left.push_back(lazy.receive(10s)->as<int>());
  CHECK(lazy.ledger().taken == ledger.waiting);
  return left;
}

/// Publishes to one that does not read, until `enough`; answers how many were taken.
template <class Condition>
std::uint64_t flood(Publisher& numbers, Condition enough) {
  const std::string payload(100'000, 'x');
  std::uint64_t taken = 0;
  const TimePoint end = std::chrono::steady_clock::now() + 20s;
  while (!enough() && std::chrono::steady_clock::now() < end) {
    if (taken < 2000 && numbers.publish("n", payload) == SendResult::sent) ++taken;
  }
  return taken;
}

void read_all(Subscriber& slow, std::uint64_t last) {
  std::uint64_t next = 1;
  while (next <= last) {
    const auto message = slow.receive(20s);
    REQUIRE(message);
    REQUIRE(message->sequence() == next);
    ++next;
  }
}

/// A stock program that asks `numbers` for all it has kept, and reads nothing yet.
struct Stranger {
  explicit Stranger(Publisher& numbers) : socket(stocks, zmq::socket_type::sub) {
    socket.raw().set(zmq::sockopt::rcvhwm, 1);
    socket.raw().set(zmq::sockopt::rcvbuf, 4096);
    socket.connect(numbers.bound().front().str());
    socket.subscribe(protocol::inbox_topic(5)).subscribe("n");
    numbers.wait_for_subscribers("n", 1, 10s);
    socket.subscribe(encode(protocol::Fetch{
        .inbox = 5, .publisher = numbers.id(), .stream = 1, .first = 1, .last = kept}));
  }
  static constexpr std::uint64_t kept = 700;

  zmq::context_t stocks;
  busbar::testing::Stock socket;
};

Publisher with_history(Context& context, SlowSubscriber slow) {
  Publisher numbers{
      context, {.bind = {busbar::testing::any_port}, .slow = slow, .block_for = 50ms, .queue = 10}};
  for (std::uint64_t i = 0; i < Stranger::kept; ++i) {
    REQUIRE(numbers.publish("n", std::string(20'000, 'x')) == SendResult::sent);
  }
  return numbers;
}

}  // namespace

TEST_CASE("an answer waits for room as long as messages do, and nothing is left out silently") {
  Context context;
  Publisher numbers = with_history(context, SlowSubscriber::block);
  Stranger stranger{numbers};
  stranger.socket.subscribe("asked");
  numbers.wait_for_subscribers("asked", 1, 10s);
  // Longer than an answer would wait where messages are dropped.
  CHECK_THROWS_AS(numbers.wait_for_subscribers("x", 1, 1s), Error);
  std::uint64_t published = Stranger::kept;
  SendResult result = SendResult::sent;
  for (int i = 0; i < 10 && result == SendResult::sent; ++i) {
    result = numbers.publish("n", "more");
    if (result == SendResult::sent) ++published;
  }
  CHECK(result == SendResult::full);
  std::uint64_t again = 0;
  std::uint64_t live = Stranger::kept;
  bool fetched = false;
  while (!fetched || live < published) {
    const auto frames = stranger.socket.receive();
    REQUIRE_FALSE(frames.empty());
    if (frames.size() == 1) {
      ++live;
      CHECK(protocol::decode_message(frames[0])->header.sequence == live);
    } else if (frames[0] == protocol::inbox_topic(5)) {
      fetched = protocol::is_control(frames[1]);
      if (!fetched) CHECK(protocol::decode_message(frames[1])->header.sequence == ++again);
    }
  }
  CHECK(again == Stranger::kept);
  CHECK(numbers.ledger().dropped == 0);
}

TEST_CASE("a subscriber that has no room for its answers is cut, where slow ones are") {
  Context context;
  Publisher numbers = with_history(context, SlowSubscriber::disconnect);
  const Stranger stranger{numbers};
  CHECK(eventually([&] { return numbers.ledger().disconnected > 0; }));
}

TEST_CASE("a buffer's oldest go, its newest, or all but the latest, on every way") {
  for (const int forwarders : {0, 2}) {
    for (const bool batched : {false, true}) {
      CAPTURE(forwarders);
      CAPTURE(batched);
      std::vector<int> first;
      std::vector<int> last;
      for (int i = 0; i < 20; ++i) {
        first.push_back(i);
        last.push_back(count - 20 + i);
      }
      // Streams are handed out in an order of their own where they were in batches.
      const auto sorted = [&](WhenFull policy) {
        std::vector<int> left = left_by(policy, forwarders, batched);
        std::sort(left.begin(), left.end());
        return left;
      };
      CHECK(sorted(WhenFull::keep_latest) == std::vector{count - 3, count - 2, count - 1});
      if (batched) continue;  // which are the oldest of three streams depends on the batches
      CHECK(left_by(WhenFull::drop_newest, forwarders, batched) == first);
      CHECK(left_by(WhenFull::drop_oldest, forwarders, batched) == last);
    }
  }
}

TEST_CASE("what a forwarder drops for a slow subscriber is in its ledger, with topic and peer") {
  Way way{"tcp", 1, Overflow::drop, 10};
  Publisher numbers = way.publisher({.history = {.messages = 0}});
  Subscriber slow = way.subscriber({.queue = 10});
  std::uint64_t missing = 0;
  slow.on_gap([&](const Gap& gap) {
    missing += gap.missing();
    CHECK(gap.cause == GapCause::not_kept);
    CHECK(gap.topic == "n");
  });
  slow.subscribe("n");
  slow.wait_ready(10s);
  const std::uint64_t published =
      flood(numbers, [&] { return way.hubs[0]->ledger().slow_peers.size() == 1; });
  const Ledger ledger = way.hubs[0]->ledger();
  REQUIRE(ledger.dropped_topics.size() == 1);
  CHECK(ledger.dropped_topics[0].topic == "n");
  CHECK(ledger.dropped_topics[0].messages > 0);
  REQUIRE(ledger.slow_peers.size() == 1);
  const auto is_slow = [&](const PeerInfo& peer) {
    return peer.side == "backend" && peer.address == ledger.slow_peers[0];
  };
  CHECK(std::any_of(ledger.peers.begin(), ledger.peers.end(), is_slow));
  std::uint64_t received = 0;
  while (received + missing < published) {
    if (slow.receive(100ms)) ++received;
  }
  CHECK(missing >= way.hubs[0]->ledger().dropped_topics[0].messages);
  CHECK(slow.ledger().lost == missing);
  CHECK(way.hubs[0]->ledger().reconciles());
}

TEST_CASE("a publisher that blocks until its deadline loses nothing that it took, on every way") {
  for (const int forwarders : {0, 2}) {
    for (const bool batched : {false, true}) {
      CAPTURE(forwarders);
      CAPTURE(batched);
      Way way{"tcp", forwarders, Overflow::block, 10};
      PublisherOptions options{.history = {.messages = 0},
                               .slow = SlowSubscriber::block,
                               .block_for = 50ms,
                               .queue = 10,
                               .queue_bytes = 1u << 20};
      if (batched) options.batching.emplace();
      Publisher numbers = way.publisher(std::move(options));
      Subscriber slow = way.subscriber({.queue = 10});
      slow.subscribe("n");
      slow.wait_ready(10s);
      const std::uint64_t taken = flood(numbers, [&] { return numbers.ledger().refused > 0; });
      CHECK(numbers.ledger().published == taken);
      read_all(slow, taken);
      CHECK(slow.ledger().lost == 0);
      CHECK(numbers.ledger().dropped == 0);
      for (const auto& hub : way.hubs) CHECK(hub->ledger().backend[Cause::overflow] == 0);
    }
  }
}

TEST_CASE("a slow connection is cut, comes back, and what was missed is fetched, on every way") {
  for (const int forwarders : {0, 1}) {
    CAPTURE(forwarders);
    Way way{"tcp", forwarders, Overflow::block, 10};
    Publisher numbers = way.publisher({.history = {.messages = 100'000, .bytes = 1u << 30},
                                       .slow = SlowSubscriber::disconnect,
                                       .block_for = 50ms,
                                       .queue = 10,
                                       .queue_bytes = 1u << 20});
    Subscriber slow = way.subscriber({.queue = 10});
    slow.subscribe("n");
    slow.wait_ready(10s);
    const std::uint64_t taken = flood(numbers, [&] { return numbers.ledger().disconnected > 0; });
    CHECK(numbers.ledger().disconnected > 0);
    CHECK(numbers.ledger().slow_peers.size() == 1);
    read_all(slow, taken);
    CHECK(slow.ledger().lost == 0);
  }
}

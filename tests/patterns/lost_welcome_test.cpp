// Publishers whose welcome was lost, or came late: they are asked again, by whom it concerns.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/patterns/internal/subscriber_protocol.hpp>
#include <busbar/patterns/publisher.hpp>
#include <busbar/patterns/subscriber.hpp>
#include <busbar/protocol/message_frame.hpp>

using namespace busbar;
using namespace busbar::protocol;
using namespace std::chrono_literals;
using busbar::detail::Arrival;
using busbar::detail::SubscriberProtocol;

namespace {

struct Listener {
  void receive(std::initializer_list<std::string_view> frames) {
    Multipart message{frames};
    protocol.receive(message, now);
    take();
  }
  void message(std::uint64_t publisher, std::uint64_t sequence, const std::string& topic = "t") {
    const Header header{.publisher = publisher, .stream = 1, .sequence = sequence};
    receive({topic + encode(header) + std::to_string(sequence)});
  }
  void heads(std::uint64_t publisher, std::uint64_t next, const std::string& topic = "t") {
    receive({heads_topic(), encode(Heads{publisher, {{1, 1, next, topic}}})});
  }
  void welcome(std::uint64_t publisher, std::uint32_t number,
               std::vector<Position> positions = {}) {
    receive({inbox_topic(7), encode(Welcome{.publisher = publisher,
                                            .name = "",
                                            .keeps = true,
                                            .presence = number,
                                            .positions = std::move(positions)})});
  }
  void run_for(Duration time) {
    const TimePoint end = now + time;
    while (protocol.next_deadline() <= end) {
      now = std::max(now, protocol.next_deadline());
      protocol.tick(now);
      take();
    }
    now = end;
  }
  void take() {
    while (const auto change = protocol.next_change()) {
      const auto request = decode_request(change->topic);
      if (!request) continue;
      if (const auto* fetch = std::get_if<Fetch>(&*request)) {
        if (change->on) fetches.push_back(*fetch);
        continue;
      }
      const Presence& presence = std::get<Presence>(*request);
      standing += change->on ? 1 : -1;
      if (!change->on) continue;
      presences.push_back(presence);
      at.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(now - start).count());
    }
    for (; auto* event = protocol.next(); protocol.done()) {
      if (auto* const gap = std::get_if<Gap>(event)) {
        gaps.push_back(*gap);
        continue;
      }
      std::optional<Message> message;
      while (std::get<Arrival>(*event).next(message)) delivered.push_back(message->sequence());
    }
  }

  static constexpr TimePoint start{1h};
  TimePoint now = start;
  SubscriberProtocol protocol{{.inbox = 7}};
  std::vector<Presence> presences;
  std::vector<long> at;
  std::vector<Fetch> fetches;
  int standing = 0;
  std::vector<Gap> gaps;
  std::vector<std::uint64_t> delivered;
};

}  // namespace

TEST_CASE("a pattern that nobody welcomes is announced again, ever more seldom") {
  Listener listener;
  listener.protocol.subscribe("t");
  listener.run_for(4min);
  CHECK(listener.at ==
        std::vector<long>{0, 1000, 3000, 7000, 15'000, 31'000, 63'000, 123'000, 183'000});
  CHECK(listener.standing == 1);
  listener.welcome(9, listener.presences.front().number);  // the answer to the first was slow
  CHECK(listener.protocol.is_ready());
  listener.at.clear();
  listener.run_for(1h);
  CHECK(listener.at.empty());
}

TEST_CASE("a publisher that is heard and has not welcomed us is asked alone, until it does") {
  for (const bool by_heads : {true, false}) {
    CAPTURE(by_heads);
    Listener listener;
    listener.protocol.subscribe("t");
    listener.welcome(8, 0);
    listener.presences.clear();
    listener.at.clear();
    by_heads ? listener.heads(9, 5) : listener.message(9, 4);
    listener.heads(6, 5, "other");  // which is not ours
    listener.run_for(10s);
    CHECK(listener.at == std::vector<long>{1000, 3000, 7000});
    for (const Presence& asked : listener.presences) CHECK(asked.publisher == 9);
    CHECK(listener.standing == 2);
    CHECK(listener.gaps.empty());
    listener.welcome(9, 0, {{1, 5, 5, "t"}});
    CHECK(listener.standing == 1);
    listener.at.clear();
    listener.run_for(1h);
    CHECK(listener.at.empty());
    // It keeps: what is missing from now on is fetched.
    listener.message(9, 7);
    REQUIRE(listener.fetches.size() == 1);
    CHECK(listener.fetches[0].first == 5);
    CHECK(listener.fetches[0].last == 6);
  }
}

TEST_CASE("one that sends what late joiners get is not asked again before it has done so") {
  Listener listener;
  listener.protocol.subscribe("t");
  listener.run_for(0s);
  listener.presences.clear();
  for (std::uint64_t number = 1; number <= 100; ++number) {  // in 10 s
    const Header header{.publisher = 9, .stream = 1, .sequence = number};
    listener.receive({inbox_topic(7), "t" + encode(header) + "x"});
    if (number == 50) listener.message(9, 101);
    listener.run_for(100ms);
  }
  CHECK(listener.presences.empty());
  CHECK(listener.delivered.empty());
  listener.welcome(9, 0, {{1, 1, 102, "t"}});
  CHECK(listener.delivered.size() == 101);
  CHECK(listener.gaps.empty());
  CHECK(listener.protocol.counts().recovered == 0);  // nothing was missing
}

TEST_CASE("who waits for two is not content with one, and says so again") {
  Listener listener;
  listener.protocol.subscribe("t");
  listener.welcome(8, 0);
  listener.protocol.expect(2);
  listener.run_for(2s);
  CHECK(listener.at == std::vector<long>{0, 1000});
  listener.welcome(9, 0);
  CHECK(listener.protocol.is_ready(2));
}

TEST_CASE("the only message of a new topic is missed by heads, fetched, and told when it is gone") {
  Listener listener;
  listener.protocol.subscribe("t.>");
  listener.welcome(9, 0);
  listener.heads(9, 2, "other");
  CHECK(listener.fetches.empty());
  listener.heads(9, 2, "t.new");
  REQUIRE(listener.fetches.size() == 1);
  CHECK(listener.fetches[0].first == 1);
  CHECK(listener.fetches[0].last == 1);
  listener.receive({inbox_topic(7), encode(Fetched{9, 1, 1, 2})});
  REQUIRE(listener.gaps.size() == 1);
  CHECK(listener.gaps[0].topic == "t.new");
  CHECK(listener.gaps[0].first == 1);
}

TEST_CASE("what late joiners get and was lost on the way is fetched") {
  Listener listener;
  listener.protocol.subscribe("t");
  listener.welcome(9, 0, {{1, 3, 6, "t"}});
  REQUIRE(listener.fetches.size() == 1);
  CHECK(listener.fetches[0].first == 3);
  CHECK(listener.fetches[0].last == 5);
}

TEST_CASE("after 65,536 subscriptions no welcome and no beginning of a stream is mistaken") {
  Listener listener;
  listener.protocol.subscribe("t");
  listener.welcome(9, 0);
  for (int i = 0; i < 65'536; ++i) {
    listener.protocol.unsubscribe("t");
    listener.protocol.subscribe("t");
    listener.take();
  }
  CHECK_FALSE(listener.protocol.is_ready(1));
  CHECK_FALSE(listener.protocol.is_ready(2));
  listener.message(9, 100);
  listener.run_for(1s);
  CHECK(listener.gaps.empty());
  CHECK(listener.fetches.empty());
  CHECK(listener.delivered == std::vector<std::uint64_t>{100});
}

TEST_CASE("what is fetched and comes twice was recovered once") {
  Listener listener;
  listener.protocol.subscribe("t");
  listener.welcome(9, 0);
  for (const std::uint64_t number : {1u, 3u}) listener.message(9, number);
  for (int i = 0; i < 2; ++i) {
    const Header header{.publisher = 9, .stream = 1, .sequence = 2};
    listener.receive({inbox_topic(7), "t" + encode(header) + "x"});
  }
  CHECK(listener.delivered == std::vector<std::uint64_t>{1, 2, 3});
  CHECK(listener.protocol.counts().recovered == 1);
  CHECK(listener.protocol.counts().duplicates == 1);
}

TEST_CASE(
    "who waits until it is ready takes no more memory meanwhile than its bounds, and says so") {
  Context context;
  Publisher numbers{context, {.bind = {"tcp://127.0.0.1:*"}}};
  Subscriber some{context, {.connect = numbers.bound(), .waiting_messages = 50}};
  some.subscribe("n");
  some.wait_ready(10s);
  for (int i = 0; i < 200; ++i) REQUIRE(numbers.publish("n", i) == SendResult::sent);
  some.subscribe("other");  // welcomed behind what came for "n"
  CHECK_THROWS_WITH_AS(some.wait_ready(2, 1h), doctest::Contains("waiting_messages"), Error);
  CHECK(some.ledger().received < 60);
  for (int i = 0; i < 200; ++i) REQUIRE(some.receive(10s)->as<int>() == i);
  some.wait_ready(10s);
}

// When and where a call is sent.
#include <vector>

#include <doctest/doctest.h>

#include <busbar/patterns/internal/call_protocol.hpp>

using namespace busbar;
using namespace busbar::detail;
using namespace std::chrono_literals;
using Step = CallProtocol::Step;

namespace {

constexpr TimePoint start{1h};

CallProtocol call(bool idempotent, std::size_t brokers,
                  BrokerState broker = BrokerState::connecting) {
  return {
      start, {.timeout = 3s, .attempt = 1s, .idempotent = idempotent, .brokers = brokers}, broker};
}

}  // namespace

TEST_CASE("a call is sent once a broker is connected, once") {
  CallProtocol one = call(false, 1);
  CHECK(one.step(start) == Step::wait);
  CHECK(one.next_deadline() == start + 3s);
  one.on_news(BrokerState::connected, start);
  CHECK(one.step(start) == Step::send);
  CHECK(one.step(start + 2s) == Step::wait);
  CHECK(one.step(start + 3s) == Step::give_up);
  CHECK(one.sent() == 1);
  CHECK_FALSE(one.lost());
}

TEST_CASE("a connection that was broken before is made anew first") {
  for (const BrokerState broken : {BrokerState::lost, BrokerState::unreachable}) {
    CallProtocol one = call(false, 1, broken);
    CHECK(one.step(start) == Step::connect);
    CHECK(one.step(start) == Step::wait);
  }
  CHECK(call(false, 1, BrokerState::connected).step(start) == Step::send);
}

TEST_CASE("where a broker refuses, the next one is tried at once, and all of them after a pause") {
  CallProtocol one = call(false, 3);
  for (int i = 0; i < 2; ++i) {
    one.on_news(BrokerState::unreachable, start);
    one.on_news(BrokerState::lost, start);  // of the same attempt, no second miss
    CHECK(one.step(start) == Step::connect);
    CHECK(one.step(start) == Step::wait);
  }
  one.on_news(BrokerState::unreachable, start);
  CHECK(one.step(start) == Step::wait);
  CHECK(one.next_deadline() == start + 100ms);
}

TEST_CASE("rounds of brokers that refuse have pauses between that grow, and no third one") {
  CallProtocol one = call(false, 2);
  TimePoint now = start;
  std::vector<std::chrono::nanoseconds> pauses;
  for (int connections = 0; one.step(now) != Step::give_up; ++connections) {
    REQUIRE(connections < 20);
    one.on_news(BrokerState::unreachable, now);
    one.on_news(BrokerState::unreachable, now);
    pauses.push_back(one.next_deadline() - now);
    now = one.next_deadline();
  }
  CHECK(now == start + 3s);
  REQUIRE(pauses.size() >= 6);
  CHECK(pauses[0] == 0s);
  CHECK(pauses[1] == 100ms);
  CHECK(pauses[2] == 0s);
  CHECK(pauses[3] == 200ms);
  CHECK(one.sent() == 0);
}

TEST_CASE(
    "what is silent on the way to a connection is left after an attempt, if there is another") {
  CallProtocol alone = call(true, 1);
  CHECK(alone.step(start + 2s) == Step::wait);
  CallProtocol one = call(false, 2);
  CHECK(one.step(start + 999ms) == Step::wait);
  CHECK(one.step(start + 1s) == Step::connect);
}

TEST_CASE("only what is idempotent is sent again") {
  CallProtocol once = call(false, 2, BrokerState::connected);
  CHECK(once.step(start) == Step::send);
  CHECK(once.step(start + 2s) == Step::wait);
  once.on_news(BrokerState::lost, start + 2s);
  CHECK(once.step(start + 2s) == Step::give_up);
  CHECK(once.lost());

  CallProtocol again = call(true, 2, BrokerState::connected);
  CHECK(again.step(start) == Step::send);
  CHECK(again.step(start + 1s) == Step::connect);  // silence
  again.on_news(BrokerState::connected, start + 1s);
  CHECK(again.step(start + 1s) == Step::send);
  again.on_news(BrokerState::lost, start + 1100ms);
  CHECK(again.step(start + 1100ms) == Step::connect);
  // libzmq's own new connection is none that it was sent by.
  again.on_news(BrokerState::connected, start + 1200ms);
  CHECK(again.step(start + 1200ms) == Step::send);
  CHECK(again.step(start + 3s) == Step::give_up);
  CHECK(again.sent() == 3);
}

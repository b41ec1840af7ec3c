// A broker that gives its workers several requests at a time, and what they leave unanswered.
#include "support/broker_world.hpp"

#include <doctest/doctest.h>

using namespace busbar;
using namespace std::chrono_literals;

TEST_CASE("what a worker said before its connection went is read before it is forgotten") {
  BrokerWorld world{{.prefetch = 2}};
  world.hear({"a", "MDPW02", b1, "echo"});
  world.hear({"c", "MDPC02", b1, "echo", "1"});
  world.gone.insert("a");
  SUBCASE("when a heartbeat finds it gone") { world.pass(1s); }
  SUBCASE("when a request does") {
    CHECK(world.hear({"d", "MDPC02", b1, "echo", "2"}).empty());
    CHECK(world.broker.held() == 1);
  }
  CHECK(world.broker.given() == 1);
  CHECK(world.hear({"c", "MDPC02", b1, "mmi.service", "echo"}) ==
        Lines{"c|MDPC02|\\3|mmi.service|404"});
  CHECK(world.hear({"a", "MDPW02", b4, "c", "", "one"}) == Lines{"c|MDPC02|\\3|echo|one"});
  CHECK(world.hear({"a", "MDPW02", b6}).empty());
  CHECK(world.broker.given() == 0);
  CHECK(world.requests.unanswered == 0);
  CHECK(world.reconciles());
}

TEST_CASE("with prefetch a worker has several requests, while nobody is free") {
  BrokerWorld world{{.prefetch = 2}};
  world.hear({"a", "MDPW02", b1, "echo"});
  CHECK(world.hear({"c", "MDPC02", b1, "echo", "1"}) == Lines{"a|MDPW02|\\2|c||1"});
  CHECK(world.hear({"d", "MDPC02", b1, "echo", "2"}) == Lines{"a|MDPW02|\\2|d||2"});
  CHECK(world.hear({"c", "MDPC02", b1, "echo", "3"}).empty());
  CHECK(world.workers.held == 1);
  // One that is free comes before one that has room.
  CHECK(world.hear({"b", "MDPW02", b1, "echo"}) == Lines{"b|MDPW02|\\2|c||3"});
  CHECK(world.hear({"e", "MDPC02", b1, "echo", "4"}) == Lines{"b|MDPW02|\\2|e||4"});
  CHECK(world.hear({"f", "MDPC02", b1, "echo", "5"}).empty());
  CHECK(world.broker.given() == 4);
  // Each answer makes room for one; it need not be the first one's.
  CHECK(world.hear({"a", "MDPW02", b4, "d", "", "two"}) ==
        Lines{"d|MDPC02|\\3|echo|two", "a|MDPW02|\\2|f||5"});
  CHECK(world.hear({"a", "MDPW02", b4, "c", "", "one"}) == Lines{"c|MDPC02|\\3|echo|one"});
  CHECK(world.hear({"a", "MDPW02", b4, "f", "", "five"}) == Lines{"f|MDPC02|\\3|echo|five"});
  CHECK(world.broker.given() == 2);
  // What nobody has asked for is not due.
  CHECK(world.hear({"a", "MDPW02", b4, "c", "", "?"}) == Lines{"a|MDPW02|\\6"});
  world.gone.insert("b");
  world.pass(1s);
  world.pass(1s);
  CHECK(world.broker.given() == 0);
  CHECK(world.reconciles());
}

TEST_CASE("what a worker has when it dies, leaves or gives up is counted as unanswered") {
  BrokerWorld world{{.prefetch = 3}};
  world.hear({"a", "MDPW02", b1, "echo"});
  for (const std::string_view client : {"c", "d", "e"}) {
    world.hear({client, "MDPC02", b1, "echo", "1"});
  }
  world.hear({"a", "MDPW02", b4, "d", "", "one"});
  world.hear({"c", "MDPC02", b1, "mmi.service", "echo"});
  CHECK(world.requests.answered == 2);
  CHECK(world.requests.with_workers == 2);
  world.hear({"a", "MDPW02", b4, "e", ""});
  CHECK(world.requests.unanswered == 1);
  world.gone.insert("a");
  // That one is sent to nobody, and held.
  CHECK(world.hear({"d", "MDPC02", b1, "echo", "2"}).empty());
  CHECK(world.requests.with_workers == 1);
  world.pass(1s);
  CHECK(world.requests.unanswered == 2);
  CHECK(world.requests.with_workers == 0);
  CHECK(world.reconciles());

  BrokerWorld lockstep;
  lockstep.hear({"a", "MDPW02", b1, "echo"});
  lockstep.hear({"c", "MDPC02", b1, "echo", "1"});
  lockstep.hear({"a", "MDPW02", b6});
  CHECK(lockstep.requests.unanswered == 1);
  lockstep.hear({"b", "MDPW02", b1, "echo"});
  lockstep.hear({"c", "MDPC02", b1, "echo", "2"});
  CHECK(lockstep.broker.leave() == 0);
  CHECK(lockstep.requests.unanswered == 2);
  CHECK(lockstep.reconciles());
}

TEST_CASE("a service whose workers all leave is served by nobody, and no reason to wait") {
  BrokerWorld world{{.prefetch = 2}};
  const auto served = [&] { return world.hear({"m", "MDPC02", b1, "mmi.service", "echo"}); };
  world.hear({"a", "MDPW02", b1, "echo"});
  world.hear({"c", "MDPC02", b1, "echo", "1"});
  CHECK(served() == Lines{"m|MDPC02|\\3|mmi.service|200"});
  world.hear({"a", "MDPW02", b6});
  CHECK(served() == Lines{"m|MDPC02|\\3|mmi.service|404"});
  world.hear({"d", "MDPC02", b1, "echo", "2"});
  CHECK_FALSE(world.broker.holds_for_workers());
  CHECK(world.broker.unserved() == std::vector{std::pair<std::string, std::size_t>{"echo", 1}});
  CHECK(world.hear({"a", "MDPW02", b4, "c", "", "1"}) == Lines{"c|MDPC02|\\3|echo|1"});
  CHECK(world.hear({"b", "MDPW02", b1, "echo"}) == Lines{"b|MDPW02|\\2|d||2"});
  CHECK(served() == Lines{"m|MDPC02|\\3|mmi.service|200"});
  CHECK(world.reconciles());
}

TEST_CASE(
    "with prefetch a worker says what it gives up, and leaves when it has answered the rest") {
  BrokerWorld world{{.prefetch = 2}};
  world.hear({"a", "MDPW02", b1, "echo"});
  world.hear({"c", "MDPC02", b1, "echo", "1"});
  world.hear({"d", "MDPC02", b1, "echo", "2"});
  CHECK(world.hear({"a", "MDPW02", b4, "c", ""}).empty());
  CHECK(world.broker.given() == 1);
  CHECK(world.workers[Cause::abandoned] == 1);
  CHECK(world.hear({"a", "MDPW02", b6}).empty());
  CHECK(world.hear({"e", "MDPC02", b1, "echo", "3"}).empty());
  CHECK(world.hear({"a", "MDPW02", b4, "d", "", "two"}) == Lines{"d|MDPC02|\\3|echo|two"});
  CHECK(world.hear({"a", "MDPW02", b5}) == Lines{"a|MDPW02|\\6"});
  CHECK(world.broker.given() == 0);
  CHECK(world.reconciles());

  BrokerWorld lockstep;  // where that is malformed, as the RFC has it
  lockstep.hear({"a", "MDPW02", b1, "echo"});
  lockstep.hear({"c", "MDPC02", b1, "echo", "1"});
  lockstep.hear({"a", "MDPW02", b4, "c", ""});
  CHECK(lockstep.workers[Cause::malformed] == 1);
  CHECK(lockstep.broker.given() == 0);
  CHECK(lockstep.reconciles());
}

TEST_CASE("what a worker gives up after its first parts is no longer held for an 0.1 client") {
  BrokerWorld world{{.prefetch = 2}};
  world.hear({"w", "MDPW02", b1, "echo"});
  world.hear({"c", "", "MDPC01", "echo", "1"});
  world.hear({"w", "MDPW02", b3, "c", "", "part"});
  CHECK(world.clients.held == 1);
  CHECK(world.hear({"w", "MDPW02", b4, "c", ""}).empty());
  CHECK(world.clients.held == 0);
  CHECK(world.workers[Cause::abandoned] == 2);
  CHECK(world.requests.unanswered == 1);
  CHECK(world.reconciles());
}

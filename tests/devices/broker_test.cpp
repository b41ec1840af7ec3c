#include "support/broker_world.hpp"

#include <doctest/doctest.h>

using namespace busbar;
using namespace std::chrono_literals;

namespace {

using Lines = std::vector<std::string>;
using std::operator""sv;

constexpr auto b1 = "\1"sv;
constexpr auto b2 = "\2"sv;
constexpr auto b3 = "\3"sv;
constexpr auto b4 = "\4"sv;
constexpr auto b5 = "\5"sv;
constexpr auto b6 = "\6"sv;

}  // namespace

TEST_CASE("an 0.1 client is served by an 0.1 worker") {
  BrokerWorld world;
  CHECK(world.hear({"w", "", "MDPW01", b1, "echo"}).empty());
  CHECK(world.hear({"c", "", "MDPC01", "echo", "hello"}) == Lines{"w||MDPW01|\\2|c||hello"});
  CHECK(world.broker.given() == 1);
  CHECK(world.hear({"w", "", "MDPW01", b3, "c", "", "olleh"}) == Lines{"c||MDPC01|echo|olleh"});
  CHECK(world.broker.given() == 0);
  CHECK(world.reconciles());
  CHECK(world.services.busiest(5).front().topic == "echo");
}

TEST_CASE("an 0.2 client gets parts as they come") {
  BrokerWorld world;
  CHECK(world.hear({"w", "MDPW02", b1, "echo"}).empty());
  CHECK(world.hear({"c", "MDPC02", b1, "echo", "hello"}) == Lines{"w|MDPW02|\\2|c||hello"});
  CHECK(world.hear({"w", "MDPW02", b3, "c", "", "hel"}) == Lines{"c|MDPC02|\\2|echo|hel"});
  CHECK(world.hear({"w", "MDPW02", b4, "c", "", "lo"}) == Lines{"c|MDPC02|\\3|echo|lo"});
  CHECK(world.reconciles());
}

TEST_CASE("an 0.1 client gets an 0.2 worker's parts in one answer") {
  BrokerWorld world;
  world.hear({"w", "MDPW02", b1, "echo"});
  CHECK(world.hear({"c", "", "MDPC01", "echo", "hello"}) == Lines{"w|MDPW02|\\2|c||hello"});
  CHECK(world.hear({"w", "MDPW02", b3, "c", "", "hel", "x"}).empty());
  CHECK(world.clients.held == 1);
  CHECK(world.reconciles());
  CHECK(world.hear({"w", "MDPW02", b4, "c", "", "lo"}) == Lines{"c||MDPC01|echo|hel|x|lo"});
  CHECK(world.clients.sent == 2);
  CHECK(world.reconciles());

  // The next answer begins anew.
  world.hear({"c", "", "MDPC01", "echo", "again"});
  CHECK(world.hear({"w", "MDPW02", b4, "c", "", "niaga"}) == Lines{"c||MDPC01|echo|niaga"});
}

TEST_CASE("an 0.2 client is served by an 0.1 worker") {
  BrokerWorld world;
  world.hear({"w", "", "MDPW01", b1, "echo"});
  CHECK(world.hear({"c", "MDPC02", b1, "echo", "hello"}) == Lines{"w||MDPW01|\\2|c||hello"});
  CHECK(world.hear({"w", "", "MDPW01", b3, "c", "", "olleh"}) == Lines{"c|MDPC02|\\3|echo|olleh"});
}

TEST_CASE("whoever strays from the RFC's envelope is answered in the one it uses") {
  BrokerWorld world;
  world.hear({"w", "MDPW01", b1, "echo"});
  CHECK(world.hear({"c", "", "MDPC02", b1, "echo", "x"}) == Lines{"w|MDPW01|\\2|c||x"});
  CHECK(world.hear({"w", "MDPW01", b3, "c", "", "y"}) == Lines{"c||MDPC02|\\3|echo|y"});
}

TEST_CASE("parts that are too large together cost the client its answer and nobody else's") {
  BrokerWorld world;
  world.hear({"w", "MDPW02", b1, "echo"});
  world.hear({"c", "", "MDPC01", "echo", "hello"});
  for (int i = 0; i < 80; ++i) CHECK(world.hear({"w", "MDPW02", b3, "c", "", "part"}).empty());
  CHECK(world.hear({"w", "MDPW02", b4, "c", "", "end"}).empty());
  CHECK(world.workers[Cause::too_large] == 81);
  CHECK(world.clients.held == 0);
  CHECK(world.reconciles());
  CHECK(world.hear({"c", "", "MDPC01", "echo", "next"}) == Lines{"w|MDPW02|\\2|c||next"});
}

TEST_CASE("parts count in the bound on the bytes that are held") {
  BrokerWorld world{{.hold_bytes = 100}};
  world.hear({"w", "MDPW02", b1, "echo"});
  world.hear({"v", "MDPW02", b1, "echo"});
  world.hear({"c", "", "MDPC01", "echo", "1"});
  world.hear({"d", "", "MDPC01", "echo", "2"});
  const std::string most(60, 'x');
  world.hear({"w", "MDPW02", b3, "c", "", most});
  world.hear({"v", "MDPW02", b3, "d", "", most});
  CHECK(world.workers[Cause::too_large] == 1);
  CHECK(world.hear({"v", "MDPW02", b4, "d", "", "end"}).empty());
  CHECK(world.hear({"w", "MDPW02", b4, "c", "", "end"}).size() == 1);
  CHECK(world.reconciles());
  // There is room again.
  world.hear({"c", "", "MDPC01", "echo", "3"});
  CHECK(world.hear({"v", "MDPW02", b3, "c", "", most}).empty());
  CHECK(world.hear({"v", "MDPW02", b4, "c", "", "end"}).size() == 1);
  CHECK(world.workers[Cause::too_large] == 2);
}

TEST_CASE("requests go to the worker that has waited longest") {
  BrokerWorld world;
  world.hear({"a", "MDPW02", b1, "echo"});
  world.hear({"b", "MDPW02", b1, "echo"});
  CHECK(world.hear({"c", "MDPC02", b1, "echo", "1"}) == Lines{"a|MDPW02|\\2|c||1"});
  CHECK(world.hear({"c", "MDPC02", b1, "echo", "2"}) == Lines{"b|MDPW02|\\2|c||2"});
  CHECK(world.hear({"c", "MDPC02", b1, "echo", "3"}).empty());
  CHECK(world.broker.held() == 1);
  CHECK(world.hear({"b", "MDPW02", b4, "c", "", "2"}) ==
        Lines{"c|MDPC02|\\3|echo|2", "b|MDPW02|\\2|c||3"});
  CHECK(world.reconciles());
}

TEST_CASE("requests wait for a service's first worker, in order") {
  BrokerWorld world;
  CHECK(world.hear({"c", "MDPC02", b1, "echo", "1"}).empty());
  CHECK(world.hear({"c", "MDPC02", b1, "echo", "2"}).empty());
  CHECK(world.workers.held == 2);
  CHECK(world.hear({"w", "MDPW02", b1, "other"}).empty());
  CHECK(world.hear({"v", "MDPW02", b1, "echo"}) == Lines{"v|MDPW02|\\2|c||1"});
  CHECK(world.hear({"v", "MDPW02", b4, "c", "", "1"}).size() == 2);
  CHECK(world.broker.held() == 0);
}

TEST_CASE("what is held has a bound in number, in bytes and in age") {
  BrokerWorld world{{.hold_messages = 2, .hold_bytes = 100, .hold_age = 5s}};
  const std::string large(100, 'x');
  world.hear({"c", "MDPC02", b1, "echo", large});
  CHECK(world.workers[Cause::overflow] == 1);
  for (int i = 0; i < 3; ++i) world.hear({"c", "MDPC02", b1, "echo", "1"});
  CHECK(world.workers[Cause::overflow] == 2);
  CHECK(world.workers.held == 2);
  CHECK(world.reconciles());
  world.pass(4s);
  CHECK(world.workers.held == 2);
  world.pass(2s);
  CHECK(world.workers[Cause::expired] == 2);
  CHECK(world.broker.held() == 0);
  CHECK(world.reconciles());
}

TEST_CASE("MMI tells which services are there") {
  BrokerWorld world;
  CHECK(world.hear({"c", "", "MDPC01", "mmi.service", "echo"}) ==
        Lines{"c||MDPC01|mmi.service|404"});
  world.hear({"w", "MDPW02", b1, "echo"});
  CHECK(world.hear({"c", "", "MDPC01", "mmi.service", "echo"}) ==
        Lines{"c||MDPC01|mmi.service|200"});
  CHECK(world.hear({"c", "MDPC02", b1, "mmi.service", "echo"}) ==
        Lines{"c|MDPC02|\\3|mmi.service|200"});
  CHECK(world.hear({"c", "MDPC02", b1, "mmi.service"}).empty());  // a body has a frame at least
  CHECK(world.clients[Cause::malformed] == 1);
  CHECK(world.hear({"c", "MDPC02", b1, "mmi.weather", "x"}) ==
        Lines{"c|MDPC02|\\3|mmi.weather|501"});
  CHECK(world.hear({"v", "MDPW02", b1, "mmi.mine"}) == Lines{"v|MDPW02|\\6"});
  CHECK(world.workers[Cause::malformed] == 1);
  CHECK(world.reconciles());
}

TEST_CASE("what is not due earns DISCONNECT, and the worker's place is free") {
  BrokerWorld world;
  world.hear({"w", "MDPW02", b1, "echo"});
  SUBCASE("a second READY") {
    CHECK(world.hear({"w", "MDPW02", b1, "echo"}) == Lines{"w|MDPW02|\\6"});
  }
  SUBCASE("an answer that nobody waits for") {
    CHECK(world.hear({"w", "MDPW02", b4, "c", "", "x"}) == Lines{"w|MDPW02|\\6"});
  }
  SUBCASE("an answer to another client") {
    world.hear({"c", "MDPC02", b1, "echo", "1"});
    CHECK(world.hear({"w", "MDPW02", b4, "d", "", "x"}) == Lines{"w|MDPW02|\\6"});
  }
  SUBCASE("another version") {
    CHECK(world.hear({"w", "", "MDPW01", b4}) == Lines{"w||MDPW01|\\5"});
  }
  CHECK(world.workers[Cause::malformed] == 1);
  CHECK(world.broker.given() == 0);
  CHECK(world.hear({"c", "MDPC02", b1, "mmi.service", "echo"}) ==
        Lines{"c|MDPC02|\\3|mmi.service|404"});
  CHECK(world.reconciles());
}

TEST_CASE("a stranger's heartbeat or answer earns DISCONNECT, its goodbye nothing") {
  BrokerWorld world;
  CHECK(world.hear({"w", "", "MDPW01", b4}) == Lines{"w||MDPW01|\\5"});
  CHECK(world.hear({"w", "MDPW02", b4, "c", "", "x"}) == Lines{"w|MDPW02|\\6"});
  CHECK(world.hear({"w", "MDPW02", b6}).empty());
}

TEST_CASE("what is malformed is dropped and counted, and a worker that sends it is forgotten") {
  BrokerWorld world;
  world.hear({"w", "MDPW02", b1, "echo"});
  CHECK(world.hear({"c"}).empty());
  CHECK(world.hear({"c", ""}).empty());
  CHECK(world.hear({"c", "GET / HTTP/1.1"}).empty());
  CHECK(world.hear({"c", "MDPC02", b2, "echo", "x"}).empty());
  CHECK(world.clients[Cause::malformed] == 4);
  CHECK(world.hear({"w", "MDPW02", b5, "more"}).empty());
  CHECK(world.workers[Cause::malformed] == 1);
  CHECK(world.hear({"w", "MDPW02", b5}) == Lines{"w|MDPW02|\\6"});
  CHECK(world.reconciles());
}

TEST_CASE("a free worker that is silent is dead, a busy one when its connection is") {
  BrokerWorld world{{.heartbeat = 1s, .expiry = 3s}};
  world.hear({"a", "MDPW02", b1, "echo"});
  world.hear({"b", "", "MDPW01", b1, "echo"});
  world.hear({"c", "MDPC02", b1, "echo", "1"});
  CHECK(world.pass(1s).size() == 2);
  world.pass(1s);
  world.pass(1s);
  // `b` is forgotten, and says so when it comes back.
  CHECK(world.pass(1s) == Lines{"a|MDPW02|\\5"});
  CHECK(world.hear({"b", "", "MDPW01", b4}) == Lines{"b||MDPW01|\\5"});
  CHECK(world.broker.given() == 1);
  world.gone.insert("a");
  world.pass(1s);
  world.pass(1s);
  CHECK(world.broker.given() == 0);
  CHECK(world.reconciles());
}

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

TEST_CASE("a worker that has shown before that it lives while it works is dead when it is silent") {
  BrokerWorld world{{.heartbeat = 1s, .expiry = 3s}};
  world.hear({"a", "MDPW02", b1, "echo"});
  world.hear({"c", "MDPC02", b1, "echo", "1"});
  world.hear({"a", "MDPW02", b5});
  for (int i = 0; i < 3; ++i) world.pass(1s);
  CHECK(world.broker.given() == 1);
  world.pass(1s);
  CHECK(world.broker.given() == 0);
  CHECK(world.hear({"c", "MDPC02", b1, "mmi.service", "echo"}) ==
        Lines{"c|MDPC02|\\3|mmi.service|404"});
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

TEST_CASE("what is held for a service without a worker is no reason to wait") {
  BrokerWorld world;
  CHECK_FALSE(world.broker.holds_for_workers());
  world.hear({"c", "MDPC02", b1, "nobody", "1"});
  CHECK(world.broker.held() == 1);
  CHECK_FALSE(world.broker.holds_for_workers());
  world.hear({"w", "MDPW02", b1, "echo"});
  world.hear({"c", "MDPC02", b1, "echo", "1"});
  world.hear({"d", "MDPC02", b1, "echo", "2"});
  CHECK(world.broker.holds_for_workers());
  REQUIRE(world.broker.unserved().size() == 1);
  CHECK(world.broker.unserved()[0] == std::pair<std::string, std::size_t>{"nobody", 1});
  world.hear({"w", "MDPW02", b4, "c", "", "1"});
  CHECK_FALSE(world.broker.holds_for_workers());
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

TEST_CASE("an answer of which a part found no room is broken off") {
  BrokerWorld world;
  world.hear({"w", "MDPW02", b1, "echo"});
  world.hear({"c", "MDPC02", b1, "echo", "1"});
  CHECK(world.hear({"w", "MDPW02", b3, "c", "", "a"}).size() == 1);
  world.full.insert("c");
  CHECK(world.hear({"w", "MDPW02", b3, "c", "", "b"}).empty());
  world.full.clear();
  CHECK(world.hear({"w", "MDPW02", b3, "c", "", "c"}).empty());
  CHECK(world.hear({"w", "MDPW02", b4, "c", "", "d"}).empty());
  CHECK(world.clients[Cause::overflow] == 3);
  CHECK(world.broker.given() == 0);
  CHECK(world.hear({"c", "MDPC02", b1, "echo", "2"}) == Lines{"w|MDPW02|\\2|c||2"});
  CHECK(world.hear({"w", "MDPW02", b4, "c", "", "e"}) == Lines{"c|MDPC02|\\3|echo|e"});
  CHECK(world.reconciles());
}

TEST_CASE("a request that finds its worker gone goes to another one") {
  BrokerWorld world;
  world.hear({"a", "MDPW02", b1, "echo"});
  world.hear({"b", "", "MDPW01", b1, "echo"});
  world.hear({"d", "MDPW02", b1, "echo"});
  world.gone.insert("a");
  world.full.insert("b");
  CHECK(world.hear({"c", "", "MDPC01", "echo", "1", "", "2"}) == Lines{"d|MDPW02|\\2|c||1||2"});
  CHECK(world.workers.sent == 1);
  world.gone.insert("d");
  world.hear({"d", "MDPW02", b4, "c", "", "x"});
  CHECK(world.hear({"c", "", "MDPC01", "echo", "3", "4"}).empty());
  CHECK(world.broker.held() == 1);
  CHECK(world.hear({"e", "MDPW02", b1, "echo"}) == Lines{"e|MDPW02|\\2|c||3|4"});
  CHECK(world.reconciles());
}

TEST_CASE("an answer to a client that left or does not read is counted") {
  BrokerWorld world;
  world.hear({"w", "MDPW02", b1, "echo"});
  world.hear({"c", "MDPC02", b1, "echo", "1"});
  world.gone.insert("c");
  CHECK(world.hear({"w", "MDPW02", b4, "c", "", "x"}).empty());
  world.hear({"d", "MDPC02", b1, "echo", "1"});
  world.full.insert("d");
  world.hear({"w", "MDPW02", b4, "d", "", "x"});
  CHECK(world.clients[Cause::no_peer] == 1);
  CHECK(world.clients[Cause::overflow] == 1);
  CHECK(world.reconciles());
}

TEST_CASE("paused, requests are held and answers go on") {
  BrokerWorld world;
  world.hear({"w", "MDPW02", b1, "echo"});
  world.hear({"c", "MDPC02", b1, "echo", "1"});
  world.broker.set_open(false);
  CHECK(world.hear({"w", "MDPW02", b4, "c", "", "1"}) == Lines{"c|MDPC02|\\3|echo|1"});
  CHECK(world.hear({"c", "MDPC02", b1, "echo", "2"}).empty());
  world.broker.set_open(true);
  CHECK(world.take() == Lines{"w|MDPW02|\\2|c||2"});
}

TEST_CASE("a broker that leaves sends its workers away and counts what it abandons") {
  BrokerWorld world;
  world.hear({"w", "", "MDPW01", b1, "other"});
  world.hear({"v", "MDPW02", b1, "last"});
  world.hear({"c", "", "MDPC01", "last", "1"});
  world.hear({"v", "MDPW02", b3, "c", "", "part"});
  world.hear({"c", "MDPC02", b1, "echo", "1"});
  CHECK(world.broker.leave() == 2);
  const Lines sent = world.take();
  CHECK(std::set(sent.begin(), sent.end()) ==
        std::set<std::string>{"w||MDPW01|\\5", "v|MDPW02|\\6"});
  CHECK(world.reconciles());
}

TEST_CASE("Paranoid Pirates get what they say they are free for") {
  BrokerWorld world;
  CHECK(!world.broker.has_free_worker());
  world.pirate({"w", b1});
  CHECK(world.broker.has_free_worker());
  CHECK(world.request({"c", "", "hello", "x"}) == Lines{"w|c||hello|x"});
  CHECK(!world.broker.has_free_worker());
  world.pirate({"w", b2});
  CHECK(!world.broker.has_free_worker());
  CHECK(world.pirate({"w", "c", "", "olleh"}) == Lines{"c||olleh"});
  CHECK(world.broker.has_free_worker());
  CHECK(world.pass(1s) == Lines{"w|\\2"});
  CHECK(world.reconciles());
}

TEST_CASE("Simple Pirates are REQ sockets and hear nothing but requests") {
  BrokerWorld world{{.heartbeat = 1s, .expiry = 3s}};
  world.pirate({"a", "", b1});
  world.pirate({"b", "", "READY"});
  CHECK(world.request({"c", "", "1"}) == Lines{"a||c||1"});
  for (int i = 0; i < 10; ++i) CHECK(world.pass(1s).empty());
  // `a` was forgotten, as it may be dead; its answer is passed on all the same.
  CHECK(world.broker.given() == 0);
  CHECK(world.pirate({"a", "", "c", "", "2"}) == Lines{"c||2"});
  CHECK(world.request({"c", "", "3"}) == Lines{"b||c||3"});
  CHECK(world.request({"c", "", "4"}) == Lines{"a||c||4"});
  CHECK(world.reconciles());
}

TEST_CASE("a pirate is as dead as its silence, and its answers are checked") {
  BrokerWorld world{{.heartbeat = 1s, .expiry = 3s}};
  world.pirate({"w", b1});
  for (int i = 0; i < 3; ++i) CHECK(world.pass(1s).size() == 1);
  CHECK(world.pass(1s).empty());
  CHECK(!world.broker.has_free_worker());
  // A heartbeat brings it back: PPP has no DISCONNECT.
  world.pirate({"w", b2});
  CHECK(world.broker.has_free_worker());
  CHECK(world.pirate({"w", "c", "", "unasked"}).empty());
  CHECK(!world.broker.has_free_worker());
  CHECK(world.pirate({"w", "\3"}).empty());
  CHECK(world.workers[Cause::malformed] == 2);
  CHECK(world.request({"c"}).empty());
  CHECK(world.clients[Cause::malformed] == 1);
  CHECK(world.reconciles());
}

#include "support/broker_world.hpp"

#include <doctest/doctest.h>

using namespace busbar;
using namespace std::chrono_literals;

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

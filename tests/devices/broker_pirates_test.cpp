// A broker for Paranoid and Simple Pirates.
#include "support/broker_world.hpp"

#include <doctest/doctest.h>

using namespace busbar;
using namespace std::chrono_literals;

TEST_CASE("Paranoid Pirates get what they say they are free for") {
  BrokerWorld world{{}, BrokerWorld::Wire::pirate};
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
  BrokerWorld world{{.heartbeat = 1s, .expiry = 3s}, BrokerWorld::Wire::pirate};
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
  BrokerWorld world{{.heartbeat = 1s, .expiry = 3s}, BrokerWorld::Wire::pirate};
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

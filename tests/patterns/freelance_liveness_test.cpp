#include <doctest/doctest.h>

#include <busbar/patterns/internal/freelance_liveness.hpp>
#include <busbar/protocol/requester_protocol.hpp>

using namespace busbar;
using namespace busbar::detail;
using namespace busbar::protocol;
using namespace std::chrono_literals;

TEST_CASE("Freelance: a server that is frozen gets three PINGs, and what it has goes to another") {
  TimePoint now{1h};
  FreelanceLiveness liveness{2};
  RequesterProtocol ask{
      {.id = 9, .servers = 2, .choice = Choice::failover, .attempt_timeout = 1min}};
  CHECK(liveness.ping_is_due(0, now));
  liveness.pinged(0, false, now);  // no way leads there yet
  CHECK_FALSE(liveness.ping_is_due(0, now));
  CHECK(liveness.next() <= now);  // the other one
  now += 50ms;
  for (std::size_t server = 0; server < 2; ++server) {
    CHECK(liveness.ping_is_due(server, now));
    liveness.pinged(server, true, now);
    CHECK_FALSE(liveness.is_there(server));
    REQUIRE(liveness.heard(server, now));
    CHECK_FALSE(liveness.heard(server, now));
    ask.connected(server, now);
  }
  ask.add({.method = "m", .deadline = 1min, .idempotent = true}, now);
  RequesterProtocol::Send send;
  REQUIRE(ask.next(send, now));
  REQUIRE(send.server == 0);
  const TimePoint frozen = now;
  int pings = 0;
  while (liveness.is_there(0)) {
    REQUIRE(liveness.next() > now);
    now = liveness.next();
    for (std::size_t server = 0; server < 2; ++server) {
      if (liveness.falls_silent(server, now)) ask.disconnected(server, now);
      if (!liveness.ping_is_due(server, now)) continue;
      pings += server == 0 ? 1 : 0;
      liveness.pinged(server, true, now);
      if (server == 1) liveness.heard(server, now);
    }
  }
  CHECK(now == frozen + 6s);
  CHECK(pings == 3);
  CHECK(liveness.is_there(1));
  CHECK_FALSE(liveness.falls_silent(0, now));  // that was told
  REQUIRE(ask.next(send, now));
  CHECK(send.server == 1);
  CHECK(liveness.heard(0, now));  // it goes on, and is there again
}

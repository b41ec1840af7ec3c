// What is said where no server is there, and why.
#include "support/stock.hpp"

#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/core/curve.hpp>
#include <busbar/patterns/replier.hpp>
#include <busbar/patterns/requester.hpp>

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::any_port;
using busbar::testing::eventually;

TEST_CASE("that a server refused our key is said by all that tell of no server") {
  Context context;
  const CurveKeys server = CurveKeys::create();
  const CurveKeys ours = CurveKeys::create();
  const auto allow = std::make_shared<AllowList>(std::vector<std::string>{});
  const Replier replier{context,
                        {.bind = {any_port}, .security = {.keys = server, .allow = allow}}};
  Requester ask{
      context,
      {.connect = replier.bound(), .security = {.keys = ours, .server_key = server.public_key}}};
  REQUIRE(eventually([&] { return !ask.ledger().handshake_failure.empty(); }));
  try {
    ask.wait_for_servers(1, 1ms);
    FAIL("one is there");
  } catch (const Error& error) {
    CHECK(std::string{error.what()}.find(
              "0 of 1 after 1 ms; the handshake failed: access refused") != std::string::npos);
  }
  const Reply reply = ask.request("m", "").get();
  CHECK(reply.outcome() == Outcome::no_peer);
  CHECK(reply.reason() == "the handshake failed: access refused");
}

TEST_CASE("that no peer can find a service is said by all that tell of no server") {
  Context context;
  Requester ask{context, {.connect = {"peer://desk"}}};
  REQUIRE(eventually([&] { return !ask.ledger().unresolved.empty(); }));
  CHECK(ask.request("m", "").get().reason() == "its context has no Peer that could find 'desk'");
}

#include "support/udp_port.hpp"

#include <optional>
#include <string>

#include <doctest/doctest.h>

#include <busbar/patterns/peer.hpp>
#include <busbar/patterns/publisher.hpp>
#include <busbar/patterns/subscriber.hpp>

using namespace busbar;
using namespace std::chrono_literals;

TEST_CASE("a subscriber connects by the service's name, and goes where it moves to") {
  const std::uint16_t port = testing::free_udp_port();
  Context here;
  Context there;
  Peer me{here, {.beacon_port = port}};
  Subscriber quotes{here, {.connect = {"peer://prices"}}};  // nobody offers it yet
  quotes.subscribe("eur");
  for (const std::string value : {"1.25", "1.26"}) {
    Publisher prices{there, {.bind = {"tcp://127.0.0.1:*"}}};
    Peer shop{there, {.beacon_port = port}};
    shop.offer("prices", prices.bound().front());
    std::optional<Message> quote;
    for (int i = 0; i < 2000 && !quote; ++i) {
      (void)prices.publish("eur", value);
      quote = quotes.receive(10ms);
    }
    while (quote && quote->payload() != value) quote = quotes.receive(20s);
    REQUIRE(quote);
    CHECK(quote->payload() == value);
  }
}

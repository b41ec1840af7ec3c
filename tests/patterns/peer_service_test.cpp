#include "support/stock.hpp"
#include "support/udp_port.hpp"

#include <optional>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include <busbar/patterns/peer.hpp>
#include <busbar/patterns/publisher.hpp>
#include <busbar/patterns/replier.hpp>
#include <busbar/patterns/requester.hpp>
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

TEST_CASE("where a service is offered already its name is as good as its endpoint") {
  const std::uint16_t port = testing::free_udp_port();
  Context here;
  Context there;
  Publisher prices{there, {.bind = {"tcp://127.0.0.1:*"}}};
  Peer shop{there, {.beacon_port = port}};
  shop.offer("prices", prices.bound().front());
  Peer me{here, {.beacon_port = port}};
  REQUIRE(me.find("prices", testing::soon).size() == 1);
  Subscriber quotes{here, {.connect = {"peer://prices"}}};
  quotes.subscribe("eur");
  CHECK_NOTHROW(prices.wait_for_subscribers("eur", 1, testing::soon));  // though nobody receives
}

namespace {

struct Desk {
  explicit Desk(Context& context) : replier(context, {.bind = {"tcp://127.0.0.1:*"}}) {
    replier.on("price", [](const std::string& of) { return of + ": 350"; });
    thread = std::jthread{[this] { replier.serve(); }};
  }
  ~Desk() { replier.stop(0ms); }
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  Replier replier;
  std::jthread thread;
};

}  // namespace

TEST_CASE("a request to a service waits until the peers had time to tell of it") {
  const std::uint16_t port = testing::free_udp_port();
  Context here;
  Context there;
  Peer me{here, {.beacon_port = port, .beacon_interval = 60s}};
  Requester prices{here, {.connect = {"peer://prices"}}};
  PendingReply pending = prices.request("price", "bread", {.deadline = 20s});
  CHECK_FALSE(pending.wait(300ms));
  Desk desk{there};
  Peer shop{there, {.beacon_port = port}};
  shop.offer("prices", desk.replier.bound().front());
  CHECK(pending.get<std::string>() == "bread: 350");
}

TEST_CASE("what we offer ourselves is found by name too") {
  Context context;
  Desk desk{context};
  Peer me{context, {.beacon_port = 0}};
  me.offer("prices", desk.replier.bound().front());
  CHECK(me.find("prices", 0ms) == desk.replier.bound());
  Requester prices{context, {.connect = {"peer://prices"}}};
  CHECK(prices.request("price", "salt", {.deadline = 20s}).get<std::string>() == "salt: 350");
  me.withdraw("prices");
  CHECK(me.find("prices", 0ms).empty());
}

TEST_CASE("a service that nobody offers, and one that no peer could look for, are told apart") {
  Context context;
  std::optional<Peer> me;
  std::string cause = "its context has no Peer that could find 'prices'";
  for (const bool peer : {false, true}) {
    CAPTURE(peer);
    if (peer) me.emplace(context, PeerOptions{.beacon_port = 0, .beacon_interval = 20ms});
    Requester prices{context, {.connect = {"peer://prices"}}};
    const Reply reply = prices.request("price", "bread", {.deadline = 20s}).get();
    CHECK(reply.outcome() == Outcome::no_peer);
    CHECK(prices.ledger().unresolved == cause);
    cause = "no peer offers 'prices'";
  }
}

TEST_CASE("a publisher says why nobody is found until somebody is") {
  Context context;
  Subscriber subscriber{context, {.bind = {"tcp://127.0.0.1:*"}}};
  Publisher prices{context, {.connect = {"peer://prices"}}};
  CHECK(testing::eventually([&] { return !prices.ledger().unresolved.empty(); }));
  Peer me{context, {.beacon_port = 0}};
  me.offer("prices", subscriber.bound().front());
  CHECK(testing::eventually([&] { return prices.ledger().unresolved.empty(); }));
}

TEST_CASE("a subscriber says why nobody is found until somebody is") {
  Context context;
  Publisher publisher{context, {.bind = {"tcp://127.0.0.1:*"}}};
  Subscriber prices{context, {.connect = {"peer://prices"}}};
  const auto cause = [&] {
    (void)prices.receive(10ms);
    return prices.ledger().unresolved;
  };
  CHECK(testing::eventually([&] { return !cause().empty(); }));
  Peer me{context, {.beacon_port = 0}};
  me.offer("prices", publisher.bound().front());
  CHECK(testing::eventually([&] { return cause().empty(); }));
}

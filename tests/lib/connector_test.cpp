#include <doctest/doctest.h>

#include <busbar/core/internal/connector.hpp>

using namespace busbar;
using namespace busbar::detail;
using namespace std::chrono_literals;
using Kind = ConnectorAction::Kind;
using Event = SocketEvent::Kind;

namespace {

struct World {
  explicit World(std::vector<Endpoint> endpoints) : connector(std::move(endpoints)) {
    actions = connector.start(now);
  }
  void see(Event kind, const std::string& address) {
    actions = connector.on_event({kind, address, {}, {}}, now);
  }
  void wait(Duration by) {
    now += by;
    actions = connector.on_time(now);
  }
  bool did(Kind kind, const std::string& subject) const {
    for (const ConnectorAction& action : actions) {
      if (action.kind == kind && action.subject == subject) return true;
    }
    return false;
  }
  Connector connector;
  TimePoint now{1h};
  std::vector<ConnectorAction> actions;
};

const std::string address = "tcp://127.0.0.1:5555";

}  // namespace

TEST_CASE("a numeric endpoint is connected at once, and the same one only once") {
  const World world({Endpoint(address), Endpoint(address)});
  CHECK(world.actions.size() == 1);
  CHECK(world.did(Kind::connect, address));
  CHECK(world.connector.next_deadline() == TimePoint::max());
}

TEST_CASE("a disconnection that libzmq retries itself is left to it") {
  World world({Endpoint(address)});
  world.see(Event::disconnected, address);
  world.see(Event::retrying, address);
  world.wait(1h);
  CHECK(world.actions.empty());
}

TEST_CASE("a disconnection that libzmq does not retry is repaired, ever more slowly") {
  World world({Endpoint(address)});
  Duration before{};
  for (int i = 0; i < 10; ++i) {
    world.see(Event::disconnected, address);
    const TimePoint start = world.now;
    world.wait(world.connector.next_deadline() - world.now);
    CHECK(world.actions.empty());
    world.wait(world.connector.next_deadline() - world.now);
    CHECK(world.did(Kind::disconnect, address));
    CHECK(world.did(Kind::connect, address));
    const Duration took = world.now - start;
    CHECK(took >= before);
    CHECK(took <= 11s);
    before = took;
  }
  CHECK(before > 10s);
  world.see(Event::connected, address);
  world.see(Event::disconnected, address);
  const TimePoint start = world.now;
  world.wait(world.connector.next_deadline() - world.now);
  world.wait(world.connector.next_deadline() - world.now);
  CHECK(world.now - start < 1s);
}

TEST_CASE("a reconnection after a failed handshake says why it failed, and what to check") {
  World world({Endpoint(address)});
  const auto reconnect_after = [&](const std::string& cause) {
    if (!cause.empty()) {
      world.connector.on_event({Event::handshake_failed, address, {}, cause}, world.now);
    }
    world.see(Event::disconnected, address);
    world.wait(world.connector.next_deadline() - world.now);
    world.wait(world.connector.next_deadline() - world.now);
  };
  reconnect_after("access refused");
  CHECK(world.did(Kind::log, "reconnecting " + address +
                                 ": access refused; check our keys, the server's key and its "
                                 "allow list"));
  world.see(Event::connected, address);
  reconnect_after("the other side is another kind of socket");
  CHECK(world.did(Kind::log,
                  "reconnecting " + address + ": the other side is another kind of socket"));
  world.see(Event::connected, address);
  reconnect_after({});
  CHECK(world.did(Kind::log, "reconnecting " + address + ": it was closed after a protocol error"));
}

TEST_CASE("a host name is looked up until there is a connection, and followed where it moves") {
  const Endpoint named("tcp://db1:7000");
  World world({named});
  const auto resolve = [&](const std::string& to) {
    world.actions = world.connector.on_resolved({named, to}, world.now);
  };
  const auto next = [&] { world.wait(world.connector.next_deadline() - world.now); };
  CHECK(world.did(Kind::resolve, named.str()));
  resolve("10.0.0.1");
  CHECK(world.did(Kind::connect, "tcp://10.0.0.1:7000"));
  world.see(Event::connected, "tcp://10.0.0.1:7000");
  CHECK(world.connector.next_deadline() == TimePoint::max());

  world.see(Event::disconnected, "tcp://10.0.0.1:7000");
  world.see(Event::retrying, "tcp://10.0.0.1:7000");
  for (int i = 0; i < 5; ++i) {
    next();
    CHECK(world.did(Kind::resolve, named.str()));
    resolve(i % 2 == 0 ? "10.0.0.1" : "");  // the old address for a while, or none
    CHECK_FALSE(world.did(Kind::connect, "tcp://10.0.0.1:7000"));
  }
  next();
  resolve("10.0.0.2");
  CHECK(world.did(Kind::disconnect, "tcp://10.0.0.1:7000"));
  CHECK(world.did(Kind::connect, "tcp://10.0.0.2:7000"));
}

TEST_CASE("an unknown host is logged and looked up again") {
  const Endpoint named("tcp://db1:7000");
  World world({named});
  world.actions = world.connector.on_resolved({named, "", "cannot resolve 'db1'"}, world.now);
  CHECK(world.did(Kind::log, "cannot resolve 'db1' (retrying)"));
  world.wait(world.connector.next_deadline() - world.now);
  CHECK(world.did(Kind::resolve, named.str()));
}

TEST_CASE("a service is looked up until it is connected, and again when its connection is gone") {
  const Endpoint prices("peer://prices");
  World world({prices});
  CHECK(world.did(Kind::resolve, "peer://prices"));
  world.actions = world.connector.on_resolved({prices, "", "nobody"}, world.now);
  CHECK(world.did(Kind::log, "nobody (retrying)"));
  world.wait(1s);
  CHECK(world.did(Kind::resolve, "peer://prices"));
  world.actions = world.connector.on_resolved({prices, address}, world.now);
  CHECK(world.did(Kind::connect, address));
  world.see(Event::connected, address);
  world.see(Event::disconnected, address);
  world.see(Event::retrying, address);
  world.wait(1s);
  CHECK(world.did(Kind::resolve, "peer://prices"));
  const std::string moved = "tcp://127.0.0.1:6666";
  world.actions = world.connector.on_resolved({prices, moved}, world.now);
  CHECK(world.did(Kind::disconnect, address));
  CHECK(world.did(Kind::connect, moved));
}

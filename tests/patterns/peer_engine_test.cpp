#include <mutex>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/patterns/internal/peer_engine.hpp>

using namespace busbar;
using namespace busbar::detail;
using namespace busbar::protocol::zre;
using namespace std::chrono_literals;
using Kind = PeerEvent::Kind;

namespace {

Multipart said(std::uint16_t sequence, const Body& body) {
  return Multipart{encode(Message{sequence, body})};
}
/// A HELLO of one that takes connections where nobody is.
Multipart hello(int port) {
  return said(1, Hello{.endpoint = "tcp://127.0.0.1:" + std::to_string(port)});
}

constexpr TimePoint start{1h};

/// Greeted by `other` at the start; `key`: what that came with, empty where there are no keys.
PeerProtocol one_that_met(const PeerId& other, const std::string& key) {
  PeerProtocol node{{.id = PeerId::random(), .beacon_key = key.empty() ? "" : "ours"}, start};
  Multipart greeting = hello(1);
  node.on_message(routing_id(other), greeting, key, start);
  return node;
}

std::size_t count(PeerProtocol& protocol, Kind kind) {
  std::size_t found = 0;
  while (const auto event = protocol.next_event()) found += event->kind == kind ? 1 : 0;
  return found;
}
/// Of what is to be done, the messages of this kind.
template <class What>
std::size_t said_by(PeerProtocol& protocol) {
  std::size_t found = 0;
  while (const auto action = protocol.next_action()) {
    if (action->kind != PeerAction::Kind::send) continue;
    const auto message = decode(action->frames.text(0));
    found += message && std::holds_alternative<What>(message->body) ? 1 : 0;
  }
  return found;
}

}  // namespace

TEST_CASE("who floods a peer does not keep it from looking after the others") {
  Context context;
  std::mutex mutex;
  const PeerId id = PeerId::random();
  PeerEngine engine{context, {.beacon_port = 0}, id, mutex};
  const auto connected = [&] {
    return Socket{context,
                  SocketType::dealer,
                  {.connect = {"inproc://busbar.zre." + id.str()},
                   .send_queue = 0,
                   .routing_id = routing_id(PeerId::random())}};
  };
  Socket silent = connected();
  Socket loud = connected();
  const auto say = [](Socket& from, Multipart frames) {
    REQUIRE(from.send(frames) == SendResult::sent);
  };
  say(silent, hello(1));
  say(loud, hello(2));
  const TimePoint now = context.clock().now();
  while (engine.turn(now)) {
  }
  REQUIRE(count(engine.protocol(), Kind::enter) == 2);
  for (std::uint16_t sequence = 2; sequence < 3000; ++sequence) say(loud, said(sequence, PingOk{}));
  REQUIRE(engine.turn(now + 6s));  // there is more
  CHECK(count(engine.protocol(), Kind::evasive) == 1);
}

TEST_CASE("with keys nobody is believed gone for a beacon, which anybody can send") {
  for (const std::string key : {"", "its own"}) {
    CAPTURE(key);
    const PeerId other = PeerId::random();
    PeerProtocol node = one_that_met(other, key);
    REQUIRE(count(node, Kind::enter) == 1);
    (void)said_by<Ping>(node);
    for (int i = 0; i < 100; ++i) node.on_beacon({other, 0}, "10.0.0.1", start + 2s);
    CHECK(count(node, Kind::exit) == (key.empty() ? 1 : 0));
    CHECK(said_by<Ping>(node) == (key.empty() ? 0 : 1));
    node.on_beacon({other, 0}, "10.0.0.1", start + 4s);
    CHECK(said_by<Ping>(node) == (key.empty() ? 0 : 1));
  }
}

TEST_CASE("with keys nobody is kept alive by beacons, which anybody can send") {
  for (const std::string key : {"", "its own"}) {
    CAPTURE(key);
    const PeerId other = PeerId::random();
    PeerProtocol node = one_that_met(other, key);
    for (int second = 1; second <= 40; ++second) {
      node.on_beacon({other, 1}, "127.0.0.1", start + std::chrono::seconds{second});
      node.on_time(start + std::chrono::seconds{second});
    }
    CHECK(count(node, Kind::exit) == (key.empty() ? 0 : 1));
  }
}

TEST_CASE("a peer that gets another mailbox is not full, as the one before was") {
  PeerProtocol node{{.id = PeerId::random(), .beacon_key = "ours"}, start};
  const PeerId other = PeerId::random();
  node.on_beacon({other, 1}, "127.0.0.1", start);
  node.congested(node.nodes().at(other).way.mailbox, true);
  Multipart greeting = hello(1);
  node.on_message(routing_id(other), greeting, "its own", start);
  Multipart content{"x"};
  CHECK(node.whisper(other, content) == SendResult::sent);
  CHECK_FALSE(node.anything_congested());
}

TEST_CASE("a peer does not become more than others take") {
  PeerProtocol node{{.id = PeerId::random()}, start};
  for (std::size_t i = 0; i < groups_max; ++i) REQUIRE(node.join("group " + std::to_string(i)));
  CHECK_FALSE(node.join("one more"));
  CHECK(node.join("group 1"));
  CHECK(node.groups().size() == groups_max);
  const std::string name = std::string{offer_header} + "service";
  CHECK_FALSE(node.set_offers({{name, std::string(hello_bytes, 'x')}}));
  CHECK(node.set_offers({{name, "tcp://127.0.0.1:1"}}));
  node.leave("group 1");
  CHECK(node.join("one more"));
}

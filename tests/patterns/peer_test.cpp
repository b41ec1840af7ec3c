#include "support/udp_port.hpp"

#include <map>
#include <poll.h>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/core/error.hpp>
#include <busbar/patterns/peer.hpp>
#include <busbar/protocol/zre_note.hpp>

using namespace busbar;
using namespace busbar::protocol::zre;
using namespace std::chrono_literals;
using Kind = PeerEvent::Kind;

namespace {

constexpr auto longest = 20s;

struct Reading {
  double celsius = 0;
  MSGPACK_DEFINE(celsius)
};

/// The next event of this kind; the others are passed over.
PeerEvent next(Peer& peer, Kind kind) {
  while (auto event = peer.receive(longest)) {
    if (event->kind == kind) return *event;
  }
  FAIL("no event: " << name_of(kind));
  return {};
}

/// A node of ZRE by hand: a DEALER to a peer's inbox.
struct ByHand {
  ByHand(Context& context, const Peer& peer, PeerId me = PeerId::random())
      : id(me),
        dealer(context, SocketType::dealer,
               {.connect = {peer.endpoint()}, .routing_id = routing_id(me)}),
        inbox(context, SocketType::router, {.bind = {"tcp://127.0.0.1:*"}}) {}
  void say(Multipart frames) { CHECK(dealer.send(frames, 1000ms) == SendResult::sent); }
  void say(std::uint16_t sequence, const Body& body) {
    say(Multipart{encode(Message{sequence, body})});
  }
  void hello() { say(1, Hello{.endpoint = inbox.bound().front().str(), .name = "by hand"}); }
  /// What the peer says next; its routing id first.
  Message hear() {
    auto frames = inbox.receive(longest);
    REQUIRE(frames);
    from = (*frames)[0].to_string();
    auto message = decode(frames->text(1));
    REQUIRE(message);
    return *message;
  }

  PeerId id;
  Socket dealer;
  Socket inbox;
  std::string from;
};

}  // namespace

TEST_CASE("peers on loopback find each other by beacon, join, whisper, shout and leave") {
  const std::uint16_t port = testing::free_udp_port();
  for (const bool same_context : {true, false}) {
    CAPTURE(same_context);
    Context here;
    Context there;
    Peer one{here, {.name = "one", .beacon_port = port, .headers = {{"role", "meter"}}}};
    std::optional<Peer> two;
    two.emplace(same_context ? here : there, PeerOptions{.name = "two", .beacon_port = port});

    const PeerEvent entered = next(*two, Kind::enter);
    CHECK(entered.peer == one.id());
    CHECK(entered.name == "one");
    CHECK(entered.headers == Headers{{"role", "meter"}});
    CHECK(entered.endpoint == one.endpoint().str());
    CHECK(next(one, Kind::enter).peer == two->id());

    two->join("sensors");
    CHECK(next(one, Kind::join).group == "sensors");
    CHECK(one.shout("sensors", Reading{21.5}) == 1);
    const PeerEvent shouted = next(*two, Kind::shout);
    CHECK(shouted.group == "sensors");
    CHECK(shouted.as<Reading>().celsius == 21.5);
    CHECK(two->shout("sensors", "nobody else is in it") == 0);

    CHECK(two->whisper(one.id(), "psst") == SendResult::sent);
    const PeerEvent whispered = next(one, Kind::whisper);
    CHECK(whispered.payload() == "psst");
    CHECK(whispered.frames().size() == 1);
    CHECK(whispered.name == "two");
    CHECK(two->whisper(PeerId::random(), "who?") == SendResult::no_peer);

    const auto known = one.peers();
    REQUIRE(known.size() == 1);
    CHECK(known[0].groups == std::vector<std::string>{"sensors"});

    two->leave("sensors");
    CHECK(next(one, Kind::leave).group == "sensors");
    two.reset();
    CHECK(next(one, Kind::exit).name == "two");
  }
}

TEST_CASE("without beacons peers know all whom the one knows that they were told to ask") {
  Context first;
  Context second;
  Peer hub{first, {.name = "hub", .beacon_port = 0}};
  std::vector<std::unique_ptr<Peer>> others;
  for (int i = 0; i < 3; ++i) {
    others.push_back(std::make_unique<Peer>(
        i == 0 ? first : second,
        PeerOptions{.name = std::to_string(i), .beacon_port = 0, .connect = {hub.endpoint()}}));
  }
  const std::string port = std::to_string(hub.endpoint().port());
  Peer by_name{second, {.name = "named", .beacon_port = 0, .connect = {"tcp://localhost:" + port}}};
  by_name.wait_for_peers(4, longest);
  for (auto& other : others) other->wait_for_peers(4, longest);
  hub.wait_for_peers(4, longest);
}

TEST_CASE("a peer's descriptor is readable while there is an event, and at the end") {
  const std::uint16_t port = testing::free_udp_port();
  Context context;
  Peer one{context, {.beacon_port = port}};
  const auto readable = [descriptor = one.fd()](int wait_ms) {
    pollfd item{descriptor, POLLIN, 0};
    return ::poll(&item, 1, wait_ms) == 1;
  };
  CHECK_FALSE(readable(0));
  {
    Peer two{context, {.beacon_port = port}};
    CHECK(readable(20'000));
    CHECK(one.drain([](PeerEvent& event) { CHECK(event.kind == Kind::enter); }) == 1);
    CHECK_FALSE(readable(0));
  }
  CHECK(readable(20'000));
  CHECK(next(one, Kind::exit).name != "");
  one.stop();
  CHECK(readable(0));
  CHECK_FALSE(one.receive(longest));
  for (PeerEvent& event : one.events()) FAIL(name_of(event.kind));
}

TEST_CASE("a peer that was stopped says nothing more") {
  const std::uint16_t port = testing::free_udp_port();
  Context context;
  Peer one{context, {.beacon_port = port}};
  Peer two{context, {.beacon_port = port}};
  two.join("all");
  CHECK(next(one, Kind::enter).peer == two.id());
  CHECK(next(one, Kind::join).group == "all");
  one.stop();
  CHECK(one.whisper(two.id(), "x") == SendResult::no_peer);
  CHECK(one.shout("all", "x") == 0);
  one.join("late");
  CHECK_THROWS_AS(one.flush(longest), Error);
  for (bool gone = false; !gone;) {
    const PeerEvent event = *two.receive(longest);
    CHECK((event.kind == Kind::enter || event.kind == Kind::exit));
    gone = event.kind == Kind::exit;
  }
}

TEST_CASE("a flush ends when those that were spoken to have answered once") {
  Context context;
  Peer peer{context, {.beacon_port = 0}};
  ByHand hand{context, peer};
  hand.hello();
  CHECK(next(peer, Kind::enter).peer == hand.id);
  CHECK(std::holds_alternative<Hello>(hand.hear().body));
  peer.flush(longest);
  CHECK(peer.whisper(hand.id, "x") == SendResult::sent);
  CHECK(std::holds_alternative<Whisper>(hand.hear().body));
  CHECK_THROWS_AS(peer.flush(1ms), Error);
  CHECK(std::holds_alternative<Ping>(hand.hear().body));
  hand.say(2, PingOk{});
  peer.flush(longest);
  CHECK(peer.whisper(hand.id, "y") == SendResult::sent);
  peer.flush(longest);
}

TEST_CASE("a node that greets is greeted, by DEALER and byte") {
  Context context;
  Peer peer{context, {.name = "peer", .beacon_port = 0}};
  peer.join("all");
  ByHand hand{context, peer};
  hand.hello();
  const Message greeting = hand.hear();
  CHECK(hand.from == routing_id(peer.id()));
  CHECK(greeting.sequence == 1);
  const auto& hello = std::get<Hello>(greeting.body);
  CHECK(hello.endpoint == peer.endpoint().str());
  CHECK(hello.name == "peer");
  CHECK(hello.groups == std::vector<std::string>{"all"});
  CHECK(hello.status == 1);
  CHECK(next(peer, Kind::enter).peer == hand.id);

  hand.say(2, Ping{});
  const Message answer = hand.hear();
  CHECK(answer.sequence == 2);
  CHECK(std::holds_alternative<PingOk>(answer.body));
  hand.say(3, Election{8});
  hand.say(4, Join{"all", 1});
  CHECK(next(peer, Kind::join).group == "all");
  CHECK(peer.shout("all", "x") == 1);
  CHECK(std::get<Shout>(hand.hear().body).group == "all");
  Multipart two_frames{encode(Message{5, Whisper{}}), "first", "second"};
  hand.say(std::move(two_frames));
  CHECK(next(peer, Kind::whisper).frames().size() == 2);
  hand.say(6, Goodbye{});
  CHECK(next(peer, Kind::exit).peer == hand.id);
  CHECK(peer.ledger().lost == 0);
}

TEST_CASE(
    "what is malformed or out of sequence earns what the RFC says, and nothing else changes") {
  Context context;
  Peer peer{context, {.beacon_port = 0}};
  ByHand good{context, peer};
  good.hello();
  good.hear();
  CHECK(next(peer, Kind::enter).peer == good.id);

  ByHand early{context, peer};
  early.say(2, Whisper{});  // before a HELLO: ignored
  early.say(2, Hello{.endpoint = "tcp://127.0.0.1:1"});
  ByHand broken{context, peer};
  broken.hello();
  broken.hear();
  CHECK(next(peer, Kind::enter).peer == broken.id);
  broken.say(Multipart{"\xAA\xA0nonsense"});
  broken.say(Multipart{encode(Message{2, Ping{}}).replace(3, 1, "\x01")});  // version 1
  broken.say(2, Ping{});  // what was discarded took no number
  CHECK(std::holds_alternative<PingOk>(broken.hear().body));
  broken.say(4, Ping{});
  CHECK(next(peer, Kind::exit).peer == broken.id);
  broken.say(5, Ping{});  // too late
  Socket nobody{context, SocketType::dealer, {.connect = {peer.endpoint()}}};
  CHECK(nobody.send(Multipart{encode(Message{1, Hello{}})}, 1000ms) == SendResult::sent);
  ByHand nowhere{context, peer};
  nowhere.say(1, Hello{.endpoint = "tcp://*:0"});
  nowhere.say(1, Hello{.endpoint = "inproc://inside"});
  nowhere.say(1, Hello{.endpoint = "tcp://example.com:80"});

  good.say(2, Ping{});
  CHECK(std::holds_alternative<PingOk>(good.hear().body));
  while (peer.ledger().refused < 3 || peer.ledger().early < 3 || peer.ledger().malformed < 3) {
    CHECK_FALSE(peer.receive(5ms));
  }
  CHECK(peer.peers().size() == 1);
  CHECK(peer.ledger().lost == 1);
}

TEST_CASE("a gap costs a peer its connection, and greeting again brings it back") {
  Context context;
  Peer peer{context, {.beacon_port = 0}};
  ByHand hand{context, peer};
  hand.hello();
  hand.hear();
  next(peer, Kind::enter);
  hand.say(3, Ping{});
  CHECK(next(peer, Kind::exit).peer == hand.id);
  hand.hello();
  CHECK(std::holds_alternative<Hello>(hand.hear().body));
  CHECK(next(peer, Kind::enter).peer == hand.id);
  CHECK(peer.ledger().lost == 1);
}

TEST_CASE("with keys peers prove who they are, and who is not on the list stays outside") {
  const std::uint16_t port = testing::free_udp_port();
  const CurveKeys hub_keys = CurveKeys::create();
  const CurveKeys other_keys = CurveKeys::create();
  const auto allow = std::make_shared<AllowList>(
      std::vector<std::string>{hub_keys.public_key, other_keys.public_key});
  Context context;
  SUBCASE("one pair for all, found by beacon") {
    const Security security{.keys = hub_keys, .allow = allow};
    Peer one{context, {.beacon_port = port, .security = security}};
    Peer two{context, {.beacon_port = port, .security = security}};
    one.wait_for_peers(1, longest);
    two.wait_for_peers(1, longest);
    CHECK(one.peers().at(0).key == hub_keys.public_key);
    CHECK(one.whisper(two.id(), "secret") == SendResult::sent);
    CHECK(next(two, Kind::whisper).payload() == "secret");
  }
  SUBCASE("a pair for each, found by beacon by one that knows the other's key") {
    Peer hub{context, {.beacon_port = port, .security = {.keys = hub_keys, .allow = allow}}};
    const Security knowing{.keys = other_keys, .allow = allow, .server_key = hub_keys.public_key};
    Peer other{context, {.beacon_port = port, .security = knowing}};
    CHECK(next(hub, Kind::enter).peer == other.id());
    CHECK(next(other, Kind::enter).peer == hub.id());
    CHECK(hub.peers().at(0).key == other_keys.public_key);
    CHECK(other.peers().at(0).key == hub_keys.public_key);
    CHECK(hub.whisper(other.id(), "there") == SendResult::sent);
    CHECK(next(other, Kind::whisper).payload() == "there");
    CHECK(other.whisper(hub.id(), "and back") == SendResult::sent);
    CHECK(next(hub, Kind::whisper).payload() == "and back");
  }
  SUBCASE("who does not let us in is spoken to in vain, and that is told") {
    Peer hub{context, {.beacon_port = port, .security = {.keys = hub_keys, .allow = allow}}};
    const auto list = std::make_shared<AllowList>(std::vector{other_keys.public_key});
    const Peer other{
        context,
        {.beacon_port = port,
         .security = {.keys = other_keys, .allow = list, .server_key = hub_keys.public_key}}};
    CHECK(next(hub, Kind::enter).peer == other.id());
    CHECK(hub.whisper(other.id(), "in vain") == SendResult::sent);
    hub.flush(longest);
    CHECK(hub.ledger().undeliverable > 0);
    CHECK(next(hub, Kind::exit).peer == other.id());
  }
  SUBCASE("who knows nobody's key stays outside") {
    Peer one{context,
             {.beacon_port = port,
              .beacon_interval = 20ms,
              .security = {.keys = hub_keys, .allow = allow}}};
    Peer two{context,
             {.beacon_port = port,
              .beacon_interval = 20ms,
              .security = {.keys = other_keys, .allow = allow}}};
    CHECK_THROWS_WITH_AS(one.wait_for_peers(1, 300ms), doctest::Contains(": 0 of 1 after 300 ms"),
                         Error);
    CHECK(two.peers().empty());
  }
  SUBCASE("a pair for each, by asking") {
    Peer hub{context, {.beacon_port = 0, .security = {.keys = hub_keys, .allow = allow}}};
    const auto asking = [&](const CurveKeys& keys) {
      return PeerOptions{
          .beacon_port = 0,
          .connect = {hub.endpoint()},
          .security = {.keys = keys, .allow = allow, .server_key = hub_keys.public_key}};
    };
    Peer one{context, asking(other_keys)};
    Peer two{context, asking(other_keys)};
    Peer stranger{context, asking(CurveKeys::create())};
    one.wait_for_peers(2, longest);
    two.wait_for_peers(2, longest);
    CHECK(hub.peers().at(0).key == other_keys.public_key);
    CHECK(stranger.peers().empty());
  }
  SUBCASE("nobody speaks under another one's id") {
    Peer hub{context, {.beacon_port = 0, .security = {.keys = hub_keys, .allow = allow}}};
    const PeerId id = PeerId::random();
    const auto dealer = [&](const CurveKeys& keys) {
      return Socket{context,
                    SocketType::dealer,
                    {.connect = {hub.endpoint()},
                     .security = {.keys = keys, .server_key = hub_keys.public_key},
                     .routing_id = routing_id(id)}};
    };
    const Hello hello{.endpoint = "tcp://127.0.0.1:1"};
    Socket first = dealer(other_keys);
    CHECK(first.send(Multipart{encode(Message{1, hello})}, 1000ms) == SendResult::sent);
    CHECK(next(hub, Kind::enter).peer == id);
    Socket second = dealer(hub_keys);
    CHECK(second.send(Multipart{encode(Message{1, hello})}, 1000ms) == SendResult::sent);
    CHECK(second.send(Multipart{encode(Message{2, Goodbye{}})}, 1000ms) == SendResult::sent);
    while (hub.ledger().forged < 2) CHECK_FALSE(hub.receive(5ms));
    CHECK(hub.peers().size() == 1);
  }
}

TEST_CASE("who does not read its events stops reading, and is not taken for dead") {
  const std::uint16_t port = testing::free_udp_port();
  Context context;
  Peer reader{
      context,
      {.beacon_port = port, .evasive_after = 300ms, .expire_after = 600ms, .waiting_max = 10}};
  Peer writer{context, {.beacon_port = port}};
  writer.wait_for_peers(1, longest);
  const std::string payload(1000, 'x');
  int sent = 0;
  while (writer.whisper(reader.id(), payload) == SendResult::sent) ++sent;
  CHECK(sent > 1000);
  CHECK(writer.ledger().overflow == 1);
  CHECK(reader.ledger().waiting <= 11);
  int got = 0;
  while (got < sent) {
    if (next(reader, Kind::whisper).payload() == payload) ++got;
  }
  CHECK(reader.ledger().lost == 0);
}

TEST_CASE("what a peer offers is found by name, and found again where it moved to") {
  const std::uint16_t port = testing::free_udp_port();
  Context context;
  Peer seeker{context, {.beacon_port = port}};
  CHECK(seeker.find("prices", 0ms).empty());
  {
    Peer shop{context, {.beacon_port = port}};
    shop.offer("prices", "tcp://127.0.0.1:5555");
    shop.offer("prices", "tcp://*:5556");
    CHECK(seeker.find("prices", longest) ==
          std::vector<Endpoint>{"tcp://127.0.0.1:5555", "tcp://127.0.0.1:5556"});
    shop.withdraw("prices");
    shop.offer("orders", "tcp://127.0.0.1:5557");
    CHECK(seeker.find("orders", longest).size() == 1);
    CHECK(seeker.find("prices", 0ms).empty());
    for (const KnownPeer& known : seeker.peers()) CHECK(known.headers.empty());
  }
  CHECK(next(seeker, Kind::exit).name != "");
  CHECK(seeker.find("orders", 0ms).empty());
  Peer moved{context, {.beacon_port = port}};
  moved.offer("orders", "tcp://127.0.0.1:6000");
  CHECK(seeker.find("orders", longest) == std::vector<Endpoint>{"tcp://127.0.0.1:6000"});
}

TEST_CASE("a peer that cannot be is refused, and says what to do") {
  Context context;
  const auto refused = [&](PeerOptions options) {
    try {
      Peer peer{context, std::move(options)};
      return std::string{"made"};
    } catch (const Error& error) {
      return std::string{error.what()};
    }
  };
  CHECK(refused({.interface = "nonsense"}).find("lo (127.0.0.1)") != std::string::npos);
  CHECK(refused({.headers = {{"X-BUSBAR-OFFER-x", "y"}}}).find("X-BUSBAR") != std::string::npos);
  CHECK(refused({.name = std::string(256, 'x')}).find("too long") != std::string::npos);
  CHECK(refused({.connect = {"tcp://*:5"}}).find("asked") != std::string::npos);
  CHECK(refused({.beacon_interval = 0ms}).find("times") != std::string::npos);
  CHECK(refused({.waiting_max = 0}).find("waiting_max") != std::string::npos);
  Peer peer{context, {.beacon_port = 0}};
  for (int i = 0; i < 1000; ++i) peer.join("group " + std::to_string(i));
  CHECK_THROWS_AS(peer.join("one more"), Error);
  const auto offer_many = [&] {
    for (int i = 0; i < 1500; ++i)
      peer.offer("n" + std::to_string(i) + std::string(190, 'n'), "ipc://" + std::string(50, 'e'));
  };
  CHECK_THROWS_AS(offer_many(), Error);
  CHECK(peer.find("n500" + std::string(190, 'n'), 0ms).size() == 1);
  CHECK_THROWS_AS(peer.join(""), Error);
  CHECK_THROWS_AS(peer.offer("a b", "tcp://127.0.0.1:1"), Error);
  CHECK_THROWS_AS(peer.offer("a", "inproc://a"), Error);
  CHECK(context.stop(0ms).remains.size() <= 2);
}

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/patterns/internal/peer_protocol.hpp>
#include <busbar/testing/simulation.hpp>

using namespace busbar;
using namespace busbar::detail;
using namespace busbar::testing;
using namespace std::chrono_literals;
using Kind = PeerEvent::Kind;

namespace {

struct Setting {
  std::size_t nodes = 4;
  bool beacons = true;
  bool contacts = false;  ///< Everybody asks at the first one's endpoint.
  bool named = false;     ///< By the name of its host.
  Faults air = {};        ///< Of beacons.
  Faults wire = {};       ///< Of connections, which otherwise lose nothing.
};

std::string endpoint_of(std::size_t place) {
  return "tcp://10.0.0." + std::to_string(place + 1) + ":5000";
}

const std::string named_first = "tcp://first:5000";

/// Nodes at places, each with its inbox; what one node heard of another one is checked as it comes.
struct World {
  World(std::uint64_t seed, Setting chosen) : time(seed), setting(chosen), nodes(chosen.nodes) {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      for (std::size_t j = 0; j < nodes.size(); ++j) {
        nodes[i].air.emplace_back(time, setting.air);
        nodes[i].wire.emplace_back(time, setting.wire);
      }
      start(i);
    }
  }

  struct View {
    std::string name = {};
    std::set<std::string> groups = {};
    int heard = 0;  ///< The last number that it whispered.
  };
  struct Place {
    std::unique_ptr<PeerProtocol> node = {};
    PeerId id = {};
    Headers offers = {};
    int life = 0;
    std::vector<Link> air = {};                           ///< To each place.
    std::vector<Link> wire = {};                          ///< To each place.
    std::map<std::uint64_t, std::size_t> mailboxes = {};  ///< Open ones, and where they lead.
    std::map<PeerId, std::uint64_t> latest = {};          ///< The connection of each identity.
    std::map<PeerId, View> views = {};
    std::map<PeerId, int> told = {};
    int evasive = 0;
  };

  void start(std::size_t i) {
    Place& place = nodes[i];
    ++place.life;
    place.mailboxes.clear();
    place.latest.clear();
    place.views.clear();
    place.told.clear();
    place.offers.clear();
    place.id = PeerId{};
    place.id.bytes[0] = static_cast<std::uint8_t>(i + 1);
    place.id.bytes[15] = static_cast<std::uint8_t>(place.life);
    PeerProtocolOptions options{.id = place.id,
                                .name = "node " + std::to_string(i),
                                .endpoint = endpoint_of(i),
                                .port = 5000};
    if (!setting.beacons) options.beacon_interval = 0ms;
    if (setting.contacts) options.contacts = {setting.named ? named_first : endpoint_of(0)};
    place.node = std::make_unique<PeerProtocol>(options, time.now());
    place.node->join("all");
    look_after(i, place.life);
  }
  void kill(std::size_t i) {
    nodes[i].node.reset();
    ++nodes[i].life;
  }
  void look_after(std::size_t i, int life) {
    if (nodes[i].life != life) return;
    nodes[i].node->on_time(time.now());
    work(i);
    const TimePoint next = std::max(nodes[i].node->next_deadline(), time.now() + 10ms);
    time.at(std::min(next, time.now() + 200ms), [this, i, life] { look_after(i, life); });
  }

  /// Carries out what the node wants, and reads what it tells.
  void work(std::size_t i) {
    Place& place = nodes[i];
    while (auto action = place.node->next_action()) carry_out(i, std::move(*action));
    while (auto event = place.node->next_event()) check_event(place, *event);
  }
  void carry_out(std::size_t i, PeerAction action) {
    Place& place = nodes[i];
    switch (action.kind) {
      case PeerAction::Kind::open:
        for (std::size_t j = 0; j < nodes.size(); ++j) {
          if (action.endpoint == endpoint_of(j)) place.mailboxes[action.mailbox] = j;
        }
        CHECK(leading_to(place, place.mailboxes.at(action.mailbox)) == 1);
        break;
      case PeerAction::Kind::close:
        disconnect(place, action.mailbox);
        break;
      case PeerAction::Kind::send:
        if (!place.mailboxes.contains(action.mailbox)) {
          place.node->broken(action.mailbox, 1, time.now());
          break;
        }
        send(i, place.mailboxes.at(action.mailbox), action.mailbox, std::move(action.frames));
        break;
      case PeerAction::Kind::look_up:
        time.after(std::chrono::milliseconds{time.below(200)}, [this, i, life = place.life] {
          if (nodes[i].life != life) return;
          nodes[i].node->looked_up(named_first, endpoint_of(0), time.now());
          work(i);
        });
        break;
      case PeerAction::Kind::beacon:
        for (std::size_t j = 0; j < nodes.size(); ++j) {
          place.air[j].send([this, i, j, beacon = action.beacon] {
            if (!nodes[j].node) return;
            nodes[j].node->on_beacon(beacon, "10.0.0." + std::to_string(i + 1), time.now());
            work(j);
          });
        }
    }
  }
  static std::size_t leading_to(const Place& place, std::size_t to) {
    return static_cast<std::size_t>(
        std::count_if(place.mailboxes.begin(), place.mailboxes.end(),
                      [to](const auto& mailbox) { return mailbox.second == to; }));
  }
  /// zmq_disconnect ends all connections to the endpoint.
  static void disconnect(Place& place, std::uint64_t mailbox) {
    const auto found = place.mailboxes.find(mailbox);
    if (found == place.mailboxes.end()) return;
    const std::size_t to = found->second;
    std::erase_if(place.mailboxes, [to](const auto& one) { return one.second == to; });
  }
  void send(std::size_t i, std::size_t to, std::uint64_t mailbox, Multipart frames) {
    auto message = std::make_shared<Multipart>(std::move(frames));
    const PeerId from = nodes[i].id;
    nodes[i].wire[to].send([this, to, from, mailbox, message] {
      Place& inbox = nodes[to];
      if (!inbox.node || inbox.latest[from] > mailbox) return;  // a newer one took the identity
      inbox.latest[from] = mailbox;
      Multipart copy = message->copy();
      inbox.node->on_message(protocol::zre::routing_id(from), copy, "", time.now());
      work(to);
    });
  }

  void check_event(Place& place, const PeerEvent& event) {
    CHECK(event.peer != place.id);
    const auto found = place.views.find(event.peer);
    if (event.kind == Kind::enter) {
      CHECK(found == place.views.end());
      place.views[event.peer] = {event.name};
      return;
    }
    REQUIRE(found != place.views.end());
    View& view = found->second;
    CHECK(event.name == view.name);
    if (event.kind == Kind::exit) {
      place.views.erase(found);
    } else if (event.kind == Kind::join) {
      CHECK(view.groups.insert(event.group).second);
    } else if (event.kind == Kind::leave) {
      CHECK(view.groups.erase(event.group) == 1);
    } else if (event.kind == Kind::evasive) {
      ++place.evasive;
    } else {
      // Between enter and exit numbers have no gap and come once.
      const int number = std::stoi(std::string{event.payload()});
      if (view.heard != 0) CHECK(number == view.heard + 1);
      view.heard = number;
    }
  }

  /// Everybody whispers its next number to everybody it knows.
  void whisper() {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (!nodes[i].node) continue;
      for (const auto& [id, view] : nodes[i].views) {
        Multipart content{std::to_string(++nodes[i].told[id])};
        CHECK(nodes[i].node->whisper(id, content) == SendResult::sent);
      }
      work(i);
    }
  }

  void offer(std::size_t i, const std::string& name, const std::string& endpoint) {
    Place& place = nodes[i];
    std::erase_if(place.offers, [&](const auto& offer) { return offer.first == name; });
    if (!endpoint.empty()) place.offers.emplace_back(name, endpoint);
    place.node->set_offers(place.offers);
    work(i);
  }
  static Headers offers_of(const PeerProtocol::Node& node) {
    Headers offers;
    for (const auto& header : node.headers) {
      if (header.first.starts_with(protocol::zre::offer_header)) offers.push_back(header);
    }
    return offers;
  }

  bool all_know_all() const {
    for (const Place& place : nodes) {
      if (place.node->ready() != nodes.size() - 1 || place.views.size() != nodes.size() - 1) {
        return false;
      }
      for (const Place& other : nodes) {
        if (other.id == place.id) continue;
        const auto view = place.views.find(other.id);
        if (view == place.views.end() || view->second.groups != other.node->groups()) return false;
        if (offers_of(place.node->nodes().at(other.id)) != other.offers) return false;
      }
    }
    return true;
  }

  Simulation time;
  Setting setting;
  std::vector<Place> nodes;
};

std::uint64_t seeds() {
  const char* const wanted = std::getenv("BUSBAR_SEEDS");
  return wanted == nullptr ? 1000 : std::stoull(wanted);
}

/// Restarts, kills, changes of groups and offers, and broken connections for a minute; then all is
/// well.
void trouble(World& world) {
  for (int second = 0; second < 60; ++second) {
    world.time.run_for(1s);
    world.whisper();
    const std::size_t i = world.time.below(world.nodes.size());
    PeerProtocol* const node = world.nodes[i].node.get();
    if (world.time.chance(0.1)) {
      node ? world.kill(i) : world.start(i);
    } else if (node && world.time.chance(0.1)) {
      node->goodbye();
      world.work(i);
      world.start(i);
    } else if (node && world.time.chance(0.3)) {
      const std::string group = "group " + std::to_string(world.time.below(3));
      node->groups().contains(group) ? node->leave(group) : void(node->join(group));
      world.work(i);
    } else if (node && world.time.chance(0.5)) {
      const std::string name =
          std::string{protocol::zre::offer_header} + std::to_string(world.time.below(3));
      const bool withdrawn = world.time.chance(0.3);
      world.offer(i, name, withdrawn ? "" : "tcp://127.0.0.1:" + std::to_string(1000 + second));
    }
  }
  for (std::size_t i = 0; i < world.nodes.size(); ++i) {
    if (!world.nodes[i].node) world.start(i);
    for (Link& link : world.nodes[i].air) link.set({.delay_max = 20ms});
    for (Link& link : world.nodes[i].wire) link.set({.delay_max = 20ms});
  }
}

void run_worlds(Setting setting) {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    CAPTURE(seed);
    setting.nodes = 2 + seed % 4;
    World world{seed, setting};
    trouble(world);
    REQUIRE(world.time.run_until([&] { return world.all_know_all(); }, 3min));
    const auto sent = [&] {
      std::uint64_t sum = 0;
      for (const auto& place : world.nodes) sum += place.node->counts().sent;
      return sum;
    };
    const std::uint64_t before = sent();
    world.time.run_for(1min);
    REQUIRE(world.all_know_all());  // and stays so, with some pings at most
    const std::uint64_t pairs = setting.nodes * (setting.nodes - 1);
    REQUIRE(sent() - before <= pairs * 60);
  }
}

}  // namespace

TEST_CASE("peers that hear each other's beacons know each other, whatever is lost and restarted") {
  run_worlds({.air = {.drop = 0.3, .duplicate = 0.1, .delay_max = 2000ms, .overtaking = true},
              .wire = {.drop = 0.01, .duplicate = 0.005, .delay_max = 500ms}});
}

TEST_CASE("peers without beacons know each other by asking one, whatever is lost and restarted") {
  run_worlds({.beacons = false, .contacts = true, .wire = {.drop = 0.01, .delay_max = 500ms}});
}

TEST_CASE("peers with beacons and a configured endpoint know each other once") {
  for (const bool named : {false, true}) {
    run_worlds({.contacts = true,
                .named = named,
                .air = {.drop = 0.3, .delay_max = 2000ms},
                .wire = {.drop = 0.01, .delay_max = 500ms}});
  }
}

TEST_CASE("a peer that was given up, and is known by beacon and by its endpoint, is spoken to") {
  for (const bool named : {false, true}) {
    World world{3, {.nodes = 2, .contacts = true, .named = named, .wire = {.delay_max = 20ms}}};
    REQUIRE(world.time.run_until([&] { return world.all_know_all(); }, 10s));
    world.time.run_for(10s);
    // The first one gives the other up, which does not know, and greets it as soon as it is heard.
    const std::uint64_t way = world.nodes[0].node->nodes().at(world.nodes[1].id).way.mailbox;
    world.nodes[0].node->unresponsive(way, world.time.now());
    world.work(0);
    world.time.run_for(20s);
    REQUIRE(world.all_know_all());
    const auto& view = world.nodes[0].views.at(world.nodes[1].id);
    const int heard = view.heard;
    world.whisper();
    world.time.run_for(1s);
    CHECK(view.heard > heard);
    for (const auto& place : world.nodes) CHECK(place.node->counts().undeliverable == 0);
  }
}

TEST_CASE("a connection that is gone is noticed by what is lost with it, and made anew") {
  for (const bool contacts : {false, true}) {
    World world{3, {.nodes = 3, .beacons = !contacts, .contacts = contacts}};
    REQUIRE(world.time.run_until([&] { return world.all_know_all(); }, 10s));
    for (auto& place : world.nodes) place.mailboxes.clear();
    world.whisper();
    world.time.run_for(1min);
    CHECK(world.all_know_all());
    for (const auto& place : world.nodes) CHECK(place.node->counts().undeliverable > 0);
  }
}

TEST_CASE("where nothing is lost every peer enters once, and nobody is evasive") {
  for (const bool contacts : {false, true}) {
    World world{1,
                {.nodes = 20,
                 .beacons = !contacts,
                 .contacts = contacts,
                 .wire = {.delay_min = 1ms, .delay_max = 20ms}}};
    REQUIRE(world.time.run_until([&] { return world.all_know_all(); }, 10s));
    std::uint64_t received = 0;
    for (const auto& place : world.nodes) received += place.node->counts().received;
    world.time.run_for(2min);
    CHECK(world.all_know_all());
    for (const auto& place : world.nodes) {
      CHECK(place.evasive == 0);
      CHECK(place.node->counts().lost == 0);
      CHECK(place.node->counts().early == 0);
    }
    CHECK(received < 20 * 19 * 4);
  }
}

TEST_CASE("a peer that is killed is evasive, then gone, and that is told within its expiry") {
  World world{7, {.nodes = 5}};
  REQUIRE(world.time.run_until([&] { return world.all_know_all(); }, 10s));
  const PeerId gone = world.nodes[2].id;
  world.time.run_for(5s);
  world.kill(2);
  const auto count = [&] {
    std::size_t knowing = 0;
    for (const auto& place : world.nodes) knowing += place.node && place.views.contains(gone);
    return knowing;
  };
  world.time.run_for(28s);
  CHECK(count() == 4);
  for (std::size_t i = 0; i < 5; ++i) CHECK(world.nodes[i].evasive == (i == 2 ? 0 : 1));
  world.time.run_for(3s);
  CHECK(count() == 0);
}

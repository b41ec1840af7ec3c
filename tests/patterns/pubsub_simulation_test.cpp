// Publishers and subscribers over faulty links, thousands of seeds: what was published is delivered
// in order and once, or told as a gap.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/patterns/internal/subscriber_protocol.hpp>
#include <busbar/protocol/message_frame.hpp>
#include <busbar/protocol/publisher_protocol.hpp>
#include <busbar/testing/simulation.hpp>

using namespace busbar;
using namespace busbar::protocol;
using namespace std::chrono_literals;
using busbar::detail::Arrival;
using busbar::detail::SubscriberProtocol;
using busbar::testing::Faults;
using busbar::testing::Link;
using busbar::testing::Simulation;

namespace {

/// What came out for one stream: the sequence numbers that were delivered, and those told as lost.
struct Seen {
  std::uint64_t first = 0;
  std::uint64_t next = 0;  ///< behind the last
  std::uint64_t delivered = 0;
  std::uint64_t lost = 0;
};

struct World {
  struct PublisherNode {
    PublisherProtocol protocol;
    std::map<std::uint32_t, std::uint64_t> heads;  ///< of each stream, as published
    bool alive = true;
    TimePoint tick_at = TimePoint::max();
  };
  struct SubscriberNode {
    std::uint64_t inbox;
    SubscriberProtocol protocol;
    std::map<std::pair<std::uint64_t, std::uint32_t>, Seen> seen;
    std::map<GapCause, int> told;
    std::map<std::pair<std::uint64_t, std::uint32_t>, std::uint64_t> joined_at;
    std::set<std::uint64_t> welcomed_by;
    TimePoint tick_at = TimePoint::max();
  };

  World(std::uint64_t seed, Faults faults) : sim(seed), down(sim, faults), up(sim, faults) {}

  std::shared_ptr<PublisherNode> add_publisher(std::uint64_t id, LateJoin late_join,
                                               const std::string& name = {}) {
    publishers.push_back(std::make_shared<PublisherNode>(
        PublisherNode{PublisherProtocol{{.id = id,
                                         .name = name,
                                         .late_join = late_join,
                                         .history = {.messages = 50 + sim.below(200), .age = 10s}}},
                      {}}));
    // As XSUB does for a new peer: all subscriptions that stand.
    for (const std::string& topic : subscribed) hear(publishers.back(), '\1' + topic);
    return publishers.back();
  }

  void publish(const std::shared_ptr<PublisherNode>& node, const std::string& topic) {
    Stream& stream = node->protocol.stream_of(topic);
    const std::uint32_t batch = sim.chance(0.3) ? 1 + static_cast<std::uint32_t>(sim.below(5)) : 0;
    const Header header = node->protocol.header_for(stream, 0, batch);
    std::string payload;
    std::string last;
    for (std::uint32_t i = 0; i < header.messages(); ++i) {
      last = topic + std::to_string(header.sequence + i);
      if (batch > 0) append_record(payload, last);
    }
    Multipart frames;
    frames.push_back(encode_message(topic, header, batch > 0 ? payload : last));
    node->protocol.keep(stream, header, frames[0], last, {}, sim.now());
    node->heads[stream.number] = stream.next;
    send_down(frames);
    pump(node);
  }

  void send_down(Multipart& frames) {
    const auto copy = std::make_shared<Multipart>(frames.copy());
    for (const auto& node : subscribers) {
      down.send([this, node, copy] {
        Multipart arriving = copy->copy();
        if (arriving.text(0) == inbox_topic(node->inbox)) note_welcome(*node, arriving.text(1));
        node->protocol.receive(arriving, sim.now());
        pump(node);
      });
    }
  }

  void hear(const std::shared_ptr<PublisherNode>& node, const std::string& subscription) {
    up.send([this, node, subscription] {
      if (!node->alive) return;
      node->protocol.on_subscription(subscription, sim.now());
      pump(node);
    });
  }

  void pump(const std::shared_ptr<PublisherNode>& node) {
    if (!node->alive) return;
    node->protocol.tick(sim.now());
    Multipart answer;
    while (node->protocol.next_answer(answer)) send_down(answer);
    wake(node, node->protocol.next_deadline());
  }

  void pump(const std::shared_ptr<SubscriberNode>& node) {
    node->protocol.tick(sim.now());
    while (const auto change = node->protocol.next_change()) {
      if (change->on) {
        subscribed.push_back(change->topic);
      } else {
        std::erase(subscribed, change->topic);
      }
      for (const auto& publisher : publishers) {
        hear(publisher, (change->on ? '\1' : '\0') + change->topic);
      }
    }
    while (auto* event = node->protocol.next()) {
      if (auto* arrival = std::get_if<Arrival>(event)) {
        std::optional<Message> message;
        while (arrival->next(message)) note(*node, *message);
      } else {
        note(*node, std::get<Gap>(*event));
      }
      node->protocol.done();
    }
    wake(node, node->protocol.next_deadline());
  }

  template <class Node>
  void wake(const std::shared_ptr<Node>& node, TimePoint due) {
    if (due == TimePoint::max() || node->tick_at == due) return;
    node->tick_at = due;
    sim.at(due, [this, node] { pump(node); });
  }

  /// Where the first welcome of a publisher says that its streams begin.
  static void note_welcome(SubscriberNode& node, std::string_view frame) {
    const auto control = decode_control(frame);
    const auto* const welcome = control ? std::get_if<Welcome>(&*control) : nullptr;
    if (welcome == nullptr || !node.welcomed_by.insert(welcome->publisher).second) return;
    for (const Position& position : welcome->positions) {
      node.joined_at[{welcome->publisher, position.stream}] = position.first;
    }
  }

  static void note(SubscriberNode& node, const Message& message) {
    Seen& seen = node.seen[{message.publisher(), message.stream()}];
    const std::string expected = std::string{message.topic()} + std::to_string(message.sequence());
    CHECK(message.payload() == expected);
    if (seen.next == 0) seen.first = seen.next = message.sequence();
    CHECK(message.sequence() == seen.next);
    seen.next = message.sequence() + 1;
    ++seen.delivered;
  }

  void note(SubscriberNode& node, const Gap& gap) {
    ++node.told[gap.cause];
    if (gap.missing() == 0) return;
    // The gap names no stream number; there is one stream for each topic of a publisher here. It
    // may be the first that is heard of the stream, even before its topic is known.
    for (const auto& [key, topic] : topic_of) {
      Seen& seen = node.seen[key];
      const bool fits = gap.topic.empty() ? seen.next == 0 : gap.topic == topic;
      if (key.first != gap.publisher || !fits) continue;
      if (seen.next == 0) seen.first = seen.next = gap.first;
      if (seen.next != gap.first) continue;
      seen.next = gap.last + 1;
      seen.lost += gap.missing();
      return;
    }
    ++unmatched_gaps;
  }

  Simulation sim;
  Link down;
  Link up;
  std::vector<std::shared_ptr<PublisherNode>> publishers;
  std::vector<std::shared_ptr<SubscriberNode>> subscribers;
  std::vector<std::string> subscribed;
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::string> topic_of;
  std::uint64_t unmatched_gaps = 0;
};

}  // namespace

TEST_CASE("whatever the links do, each message is delivered in order, or told as lost") {
  std::uint64_t recovered = 0;
  std::uint64_t lost = 0;
  int shared = 0;
  for (std::uint64_t seed = 1; seed <= 1500; ++seed) {
    CAPTURE(seed);
    Simulation dice{seed * 7919};
    const Faults faults{.drop = 0.01 * static_cast<double>(dice.below(20)),
                        .duplicate = 0.01 * static_cast<double>(dice.below(10)),
                        .delay_max = std::chrono::milliseconds{1 + dice.below(60)},
                        .overtaking = dice.chance(0.5)};
    World world{seed, faults};
    for (std::uint64_t i = 0; i < 2; ++i) {
      world.subscribers.push_back(std::make_shared<World::SubscriberNode>(
          World::SubscriberNode{100 + i, SubscriberProtocol{{.inbox = 100 + i}}, {}, {}, {}, {}}));
      world.subscribers.back()->protocol.subscribe("a.>");
    }
    const auto late_join = static_cast<LateJoin>(dice.below(3));
    // In some worlds two publishers were given one name.
    const bool share = seed % 4 == 0;
    const auto name = [&](std::uint64_t id) { return share ? "same" : std::to_string(id); };
    for (std::uint64_t id = 1; id <= 2; ++id) world.add_publisher(id, late_join, name(id));
    for (const auto& node : world.subscribers) world.pump(node);
    const std::vector<std::string> topics{"a.x", "a.y", "b.z"};
    for (int i = 0; i < 120; ++i) {
      world.sim.after(std::chrono::milliseconds{dice.below(4000)}, [&] {
        const auto& node = world.publishers[dice.below(world.publishers.size())];
        if (!node->alive) return;
        const std::string& topic = topics[dice.below(topics.size())];
        world.topic_of[{node->protocol.id(), node->protocol.stream_of(topic).number}] = topic;
        world.publish(node, topic);
      });
    }
    const bool restarts = dice.chance(0.3);
    if (restarts) {  // a publisher dies, and comes back as a new one
      world.sim.after(2s, [&] {
        world.publishers[0]->alive = false;
        world.add_publisher(3, late_join, name(1));
      });
    }
    for (const auto& node : world.subscribers) {  // which all publishers welcome
      world.sim.after(std::chrono::milliseconds{5000 + dice.below(5000)}, [&] {
        node->protocol.subscribe("a.*");
        world.pump(node);
      });
    }
    // In some nothing at all arrives for a while, and what is told then is lost as well.
    const bool cut_off = seed % 3 == 0;
    if (cut_off) world.sim.after(3s, [&] { world.down.set({.drop = 1}); });
    world.sim.after(cut_off ? 30s : 5s, [&] {
      world.down.set({});
      world.up.set({});
    });
    world.sim.run_for(3min);  // the last of the heads that were lost is a minute old

    for (const auto& node : world.subscribers) {
      const auto counts = node->protocol.counts();
      CHECK(counts.waiting == 0);
      CHECK(counts.malformed == 0);
      auto& told = node->told;
      CHECK(told[GapCause::publisher_restarted] <= (share ? 2 : restarts ? 1 : 0));
      CHECK(told[GapCause::name_shared] <= (share ? 1 : 0));
      shared += told[GapCause::name_shared];
      recovered += counts.recovered;
      if (!cut_off) lost += counts.lost;
      for (const auto& publisher : world.publishers) {
        if (!publisher->alive) continue;
        for (const auto& [number, head] : publisher->heads) {
          const std::pair key{publisher->protocol.id(), number};
          CAPTURE(key);
          const Seen& seen = node->seen[key];
          if (world.topic_of[key] == "b.z") {
            CHECK(seen.delivered == 0);
          } else {
            // Nothing: it was welcomed when all of the stream was over.
            const auto joined = node->joined_at.find(key);
            const bool too_late = joined != node->joined_at.end() && joined->second == head;
            CHECK((seen.next == head || (seen.next == 0 && too_late)));
            CHECK(seen.delivered + seen.lost == seen.next - seen.first);
          }
        }
      }
    }
    CHECK(world.unmatched_gaps == 0);
  }
  // The faults did something, and so did the recovery.
  CHECK(recovered > 1000);
  CHECK(lost < recovered);
  CHECK(shared > 500);
}

TEST_CASE("streams that wait for one welcome come out in the order of their arrival") {
  const TimePoint now{1h};
  SubscriberProtocol subscriber{{.inbox = 7}};
  subscriber.subscribe(">");
  const auto receive = [&](Multipart&& frames) { subscriber.receive(frames, now); };
  const auto header = [](std::uint32_t stream) {
    return encode(Header{.publisher = 9, .stream = stream, .sequence = 1});
  };
  for (std::uint32_t stream = 1; stream <= 6; ++stream) {
    receive(Multipart{"t" + std::to_string(stream) + header(stream) + std::to_string(stream)});
  }
  // It names the last used first, and those that began after it not at all.
  const Welcome welcome{
      .publisher = 9, .name = "", .positions = {{5, 2, 2, "t5"}, {3, 2, 2, "t3"}, {1, 2, 2, "t1"}}};
  receive(Multipart{inbox_topic(7), encode(welcome)});
  std::string order;
  for (; auto* event = subscriber.next(); subscriber.done()) {
    std::optional<Message> message;
    REQUIRE(std::get<Arrival>(*event).next(message));
    order += message->payload();
  }
  CHECK(order == "123456");
}

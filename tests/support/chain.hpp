/// Publishers, a chain of forwarders and a subscriber in virtual time: the protocols and the books
/// are the real ones, the sockets between them are queues with a high-water mark.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/core/internal/topic_losses.hpp>
#include <busbar/devices/internal/hop.hpp>
#include <busbar/patterns/internal/subscriber_protocol.hpp>
#include <busbar/protocol/message_frame.hpp>
#include <busbar/protocol/publisher_protocol.hpp>
#include <busbar/testing/simulation.hpp>

namespace busbar::testing {

using Totals = std::map<std::string, std::uint64_t>;  ///< Messages by topic.

inline std::uint64_t sum(const Totals& totals) {
  std::uint64_t all = 0;
  for (const auto& [topic, messages] : totals) all += messages;
  return all;
}

struct ChainOptions {
  std::size_t hops = 1;
  Overflow overflow = Overflow::drop;  ///< Of the forwarders; publishers drop.
  std::size_t room = 10;               ///< Of each queue, in ZeroMQ messages.
  HistoryLimits history = {};
  double duplicate = 0;  ///< Chance that a connection says something twice.
};

/// One connection: what it holds is gone when it is cut.
struct Pipe {
  std::deque<Multipart> queue;
};

class Chain {
 public:
  struct Sender {
    std::string name;
    std::unique_ptr<protocol::PublisherProtocol> protocol;
    Pipe out;
    std::map<std::string, int> wanted;
    std::optional<Multipart> answer;
    std::map<std::uint32_t, std::string> topics;
  };
  struct Forwarding {
    std::unique_ptr<detail::Hop> book;  ///< Empty: it is dead.
    std::map<std::string, int> wanted;  ///< By whoever is behind it.
    Pipe out;
    std::optional<std::pair<Multipart, detail::Weight>> held;
  };
  /// What came out of one stream.
  struct Seen {
    std::uint64_t first = 0;
    std::uint64_t next = 0;
    std::uint64_t delivered = 0;
    std::uint64_t lost = 0;
  };

  Chain(std::uint64_t seed, ChainOptions options) : sim(seed), options_(options) {
    hops.resize(options.hops);
    for (std::size_t i = 0; i < hops.size(); ++i) start_hop(i);
    start_subscriber();
    step();
  }

  Sender& add_publisher(const std::string& name) {
    auto made = std::make_unique<Sender>();
    made->name = name;
    made->protocol =
        std::make_unique<protocol::PublisherProtocol>(protocol::PublisherProtocolOptions{
            .id = ++last_id_, .name = name, .history = options_.history});
    senders.push_back(std::move(made));
    for (const auto& [topic, times] : hops.front().wanted) hear(*senders.back(), '\1' + topic);
    return *senders.back();
  }
  /// Dies without a word, with what its connection held.
  void kill_publisher(std::size_t i) {
    drop_all(senders[i]->out, cut);
    for (const TopicCount& topic : senders[i]->protocol ? losses_[senders[i]->protocol->id()].most()
                                                        : std::vector<TopicCount>{}) {
      dropped_by_publishers_[topic.topic] += topic.messages;
    }
    losses_.erase(senders[i]->protocol->id());
    senders.erase(senders.begin() + static_cast<std::ptrdiff_t>(i));
  }

  void publish(Sender& from, const std::string& topic, std::uint32_t batch) {
    protocol::Stream& stream = from.protocol->stream_of(topic);
    from.topics[stream.number] = topic;
    const protocol::Header header = from.protocol->header_for(stream, 0, batch);
    std::string payload = batch > 0 ? "" : "x";
    for (std::uint32_t i = 0; i < batch; ++i) protocol::append_record(payload, "x");
    Multipart frames;
    frames.push_back(protocol::encode_message(topic, header, payload));
    from.protocol->keep(stream, header, frames[0], "x", {}, sim.now());
    published[topic] += header.messages();
    entered[topic] += header.messages();
    if (!is_wanted(from.wanted, frames)) {
      count(frames, cut);
    } else if (from.out.queue.size() < options_.room) {
      push(from.out, frames);
    } else {  // as PublisherLoop::drop does
      losses_[from.protocol->id()].count(topic, header.messages(), frames.bytes());
    }
  }

  void start_hop(std::size_t i) {
    hops[i].book = std::make_unique<detail::Hop>(context_, DeviceKind::forwarder, DeviceOptions{});
    // Whoever is behind it comes back, and says in the order of their bytes what it wants.
    if (i + 1 < hops.size() && hops[i + 1].book) {
      for (const auto& [topic, times] : std::map{hops[i + 1].wanted}) ask(i, '\1' + topic);
    } else if (i + 1 == hops.size()) {
      auto standing = subscribed_;
      std::sort(standing.begin(), standing.end());
      for (const std::string& topic : standing) ask(i, '\1' + topic);
    }
  }
  /// `stopped`: it counts what it leaves behind as abandoned, and what it sent arrives. Else it is
  /// killed, and that is cut off.
  void end_hop(std::size_t i, bool stopped) {
    Forwarding& hop = hops[i];
    if (!hop.book) return;
    if (stopped) {
      abandon(i);
    } else {
      for (Pipe* pipe : inputs(i)) drop_all(*pipe, cut);
      if (hop.held) count(hop.held->first, cut_while_held);
      drop_all(hop.out, cut);
    }
    hop.held.reset();
    retired.push_back(hop.book->ledger("stopped"));
    hop.book.reset();
    hop.wanted.clear();
    withdraw_all(i);
  }

  void start_subscriber() {
    subscriber = std::make_unique<detail::SubscriberProtocol>(
        detail::SubscriberProtocolOptions{.inbox = ++last_id_});
    subscriber->subscribe("t.>");
    seen.clear();
    joined_at.clear();
    pump_subscriber();
  }
  void restart_subscriber() {
    drop_all(hops.back().out, cut);
    for (const std::string& topic : std::vector{subscribed_}) {
      if (hops.back().book) ask(hops.size() - 1, '\0' + topic);
    }
    subscribed_.clear();
    start_subscriber();
  }

  /// Each stream was seen to its end, or was over when the subscriber was welcomed.
  bool is_complete() {
    for (const auto& sender : senders) {
      const std::uint64_t id = sender->protocol->id();
      for (const auto& [number, topic] : sender->topics) {
        const std::uint64_t head = sender->protocol->stream_of(topic).next;
        const auto joined = joined_at[id].find(number);
        const bool too_late = joined != joined_at[id].end() && joined->second == head;
        const Seen& one = seen[{id, number}];
        if (one.next != head && !(one.next == 0 && too_late)) return false;
      }
    }
    return true;
  }

  /// Of all forwarders; of those that have ended the last one.
  std::vector<Ledger> ledgers() const {
    std::vector<Ledger> all = retired;
    for (const Forwarding& hop : hops) {
      if (hop.book) all.push_back(hop.book->ledger("running"));
    }
    return all;
  }
  /// What the ledgers of publishers and forwarders say that they dropped for want of room.
  Totals dropped() const {
    Totals all = dropped_by_publishers_;
    for (const auto& [id, losses] : losses_) {
      for (const TopicCount& topic : losses.most()) all[topic.topic] += topic.messages;
    }
    for (const Ledger& ledger : ledgers()) {
      for (const TopicCount& topic : ledger.dropped_topics) all[topic.topic] += topic.messages;
    }
    return all;
  }

  Simulation sim;
  std::vector<std::unique_ptr<Sender>> senders;
  std::vector<Forwarding> hops;
  std::vector<Ledger> retired;
  std::unique_ptr<detail::SubscriberProtocol> subscriber;
  bool stalled = false;  ///< The subscriber does not read.
  std::map<std::pair<std::uint64_t, std::uint32_t>, Seen> seen;
  /// Where streams begin, as the first welcome of each publisher says.
  std::map<std::uint64_t, std::map<std::uint32_t, std::uint64_t>> joined_at;
  std::map<GapCause, int> told;
  std::uint64_t told_missing = 0;
  std::uint64_t out_of_order = 0;
  // What the world alone knows.
  Totals published;
  Totals entered;         ///< Published, or sent again to one who asked.
  Totals doubled;         ///< By connections.
  Totals received;        ///< By the subscriber.
  Totals cut;             ///< Gone with connections, or sent while nobody was connected.
  Totals cut_while_held;  ///< Of those what a forwarder that was killed had booked as held.
  Totals abandoned;       ///< By forwarders that were stopped, which say how many in all.

 private:
  static bool is_control(const Multipart& frames) {
    return protocol::is_reserved(frames.text(0)) &&
           (frames.size() < 2 || protocol::is_control(frames.text(1)));
  }
  static void count(const Multipart& frames, Totals& into) {
    if (is_control(frames)) return;
    const std::string_view frame = frames.text(protocol::is_reserved(frames.text(0)) ? 1 : 0);
    into[std::string{protocol::topic_of(frame)}] += protocol::messages_in(frame);
  }
  static void drop_all(Pipe& pipe, Totals& into) {
    for (const Multipart& frames : pipe.queue) count(frames, into);
    pipe.queue.clear();
  }
  static bool is_wanted(const std::map<std::string, int>& wanted, const Multipart& frames) {
    return std::any_of(wanted.begin(), wanted.end(), [&](const auto& subscription) {
      return frames.text(0).starts_with(subscription.first);
    });
  }
  void push(Pipe& pipe, Multipart& frames) {
    if (sim.chance(options_.duplicate)) {
      count(frames, doubled);
      pipe.queue.push_back(frames.copy());
    }
    pipe.queue.push_back(std::move(frames));
  }

  // Upstream.
  void hear(Sender& sender, const std::string& subscription) {
    note(sender.wanted, subscription);
    sender.protocol->on_subscription(subscription, sim.now());
  }
  static void note(std::map<std::string, int>& wanted, const std::string& subscription) {
    const std::string topic = subscription.substr(1);
    if (subscription[0] == '\1') {
      ++wanted[topic];
    } else if (const auto known = wanted.find(topic);
               known != wanted.end() && --known->second == 0) {
      wanted.erase(known);
    }
  }
  /// Forwarder `i` hears what whoever is behind it wants, and passes it on.
  void ask(std::size_t i, const std::string& subscription) {
    if (!hops[i].book) return;
    note(hops[i].wanted, subscription);
    ++hops[i].book->subscriptions.received;
    if (i > 0) return ask(i - 1, subscription);
    for (const auto& sender : senders) hear(*sender, subscription);
  }
  /// Forwarder `i` is gone, so those before it hear that nothing is wanted any more.
  void withdraw_all(std::size_t i) {
    if (i > 0) {
      for (const auto& [topic, times] : std::map{hops[i - 1].wanted}) {
        for (int n = 0; n < times; ++n) ask(i - 1, '\0' + topic);
      }
      return;
    }
    for (const auto& sender : senders) {
      for (const auto& [topic, times] : std::map{sender->wanted}) {
        for (int n = 0; n < times; ++n) hear(*sender, '\0' + topic);
      }
    }
  }

  // Downstream.
  std::vector<Pipe*> inputs(std::size_t i) {
    if (i > 0) return {&hops[i - 1].out};
    std::vector<Pipe*> all;
    for (const auto& sender : senders) all.push_back(&sender->out);
    return all;
  }
  /// As Lane::deliver does. False: it is held.
  bool deliver(Forwarding& hop, Multipart& frames, const detail::Weight& weight) {
    const bool wanted = is_wanted(hop.wanted, frames);
    if (!wanted) {
      count(frames, cut);
    } else if (hop.out.queue.size() < options_.room) {
      push(hop.out, frames);
    } else if (options_.overflow == Overflow::block) {
      hop.book->backend.held = weight.messages;
      hop.held.emplace(std::move(frames), weight);
      return false;
    } else {
      hop.book->note_overflow(frames, weight);
      hop.book->backend[Cause::overflow] += weight.messages;
      return true;
    }
    weight.sent_by(hop.book->backend);
    return true;
  }
  void read(std::size_t i) {
    Forwarding& hop = hops[i];
    if (!hop.book) return;
    if (hop.held) {
      auto [frames, weight] = std::move(*hop.held);
      hop.held.reset();
      hop.book->backend.held = 0;
      if (!deliver(hop, frames, weight)) return;
    }
    for (Pipe* pipe : inputs(i)) {
      for (int burst = 0; burst < 4 && !pipe->queue.empty(); ++burst) {
        Multipart frames = std::move(pipe->queue.front());
        pipe->queue.pop_front();
        detail::Weight weight = hop.book->weigh(frames);
        if (hop.book->forward(frames, weight) && !deliver(hop, frames, weight)) return;
      }
    }
  }
  /// As Lane::abandon does.
  void abandon(std::size_t i) {
    Forwarding& hop = hops[i];
    if (hop.held) {
      count(hop.held->first, abandoned);
      hop.book->frontend[Cause::abandoned] += hop.held->second.messages;
      hop.book->backend.held = 0;
    }
    for (Pipe* pipe : inputs(i)) {
      for (const Multipart& frames : pipe->queue) {
        const detail::Weight weight = hop.book->weigh(frames);
        weight.received_by(hop.book->frontend);
        hop.book->frontend[Cause::abandoned] += weight.messages;
      }
      drop_all(*pipe, abandoned);
    }
  }

  void serve(Sender& sender) {
    sender.protocol->tick(sim.now());
    while (true) {
      if (!sender.answer) {
        sender.answer.emplace();
        if (!sender.protocol->next_answer(*sender.answer)) {
          sender.answer.reset();
          return;
        }
      }
      if (is_wanted(sender.wanted, *sender.answer)) {
        if (sender.out.queue.size() >= options_.room) return;
        count(*sender.answer, entered);
        push(sender.out, *sender.answer);
      }
      sender.answer.reset();
    }
  }

  void pump_subscriber() {
    subscriber->tick(sim.now());
    while (const auto change = subscriber->next_change()) {
      if (change->on) {
        subscribed_.push_back(change->topic);
      } else if (const auto known =
                     std::find(subscribed_.begin(), subscribed_.end(), change->topic);
                 known != subscribed_.end()) {
        subscribed_.erase(known);
      }
      ask(hops.size() - 1, (change->on ? '\1' : '\0') + change->topic);
    }
    for (; auto* event = subscriber->next(); subscriber->done()) {
      if (const auto* gap = std::get_if<Gap>(event)) {
        note(*gap);
        continue;
      }
      std::optional<Message> message;
      while (std::get<detail::Arrival>(*event).next(message)) note(*message);
    }
  }
  void note(const Message& message) {
    Seen& one = seen[{message.publisher(), message.stream()}];
    if (one.next == 0) one.first = one.next = message.sequence();
    out_of_order += message.sequence() != one.next;
    one.next = message.sequence() + 1;
    ++one.delivered;
  }
  void note_welcome(const Multipart& frames) {
    if (frames.size() != 2) return;
    const auto control = protocol::decode_control(frames.text(1));
    const auto* const welcome = control ? std::get_if<protocol::Welcome>(&*control) : nullptr;
    if (welcome == nullptr || joined_at.contains(welcome->publisher)) return;
    auto& joined = joined_at[welcome->publisher];
    for (const protocol::Position& position : welcome->positions) {
      joined[position.stream] = position.first;
    }
  }
  void note(const Gap& gap) {
    ++told[gap.cause];
    told_missing += gap.missing();
    if (gap.missing() == 0) return;
    for (const auto& sender : senders) {
      if (sender->protocol->id() != gap.publisher) continue;
      for (const auto& [number, topic] : sender->topics) {
        Seen& one = seen[{gap.publisher, number}];
        // It may be the first that is heard of the stream, even before its topic is known.
        if (gap.topic.empty() ? one.next != 0 : gap.topic != topic) continue;
        if (one.next == 0) one.first = one.next = gap.first;
        if (one.next != gap.first) continue;
        one.next = gap.last + 1;
        one.lost += gap.missing();
        return;
      }
    }
  }

  /// Every 2 ms each reads a little.
  void step() {
    for (const auto& sender : senders) serve(*sender);
    for (std::size_t i = 0; i < hops.size(); ++i) read(i);
    Pipe& last = hops.back().out;
    for (int burst = 0; burst < 4 && !stalled && !last.queue.empty(); ++burst) {
      count(last.queue.front(), received);
      note_welcome(last.queue.front());
      subscriber->receive(last.queue.front(), sim.now());
      last.queue.pop_front();
    }
    pump_subscriber();
    sim.after(std::chrono::milliseconds{2}, [this] { step(); });
  }

  ChainOptions options_;
  Context context_;
  std::uint64_t last_id_ = 0;
  std::vector<std::string> subscribed_;
  std::map<std::uint64_t, detail::TopicLosses> losses_;
  Totals dropped_by_publishers_;
};

}  // namespace busbar::testing

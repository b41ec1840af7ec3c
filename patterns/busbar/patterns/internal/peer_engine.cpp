#include "busbar/patterns/internal/peer_engine.hpp"

#include <algorithm>
#include <utility>

namespace busbar::detail {

using std::chrono::milliseconds;

namespace {

constexpr int burst = 1000;
// Two hundred peers hear forty thousand beacons a second: they are read by the dozen.
constexpr milliseconds beacon_pause{50};
// While so many are to enter, those that do are taken by the dozen as well: to be woken for each
// costs as much as to greet it.
constexpr std::size_t crowd = 10;
constexpr milliseconds crowd_pause{50};
constexpr milliseconds full_pause{5};      // until what waits is tried again
constexpr std::size_t waiting_max = 2000;  // for one peer, beyond the queue of ZeroMQ

PeerProtocolOptions protocol_options(const PeerOptions& options, const PeerId& id,
                                     const Endpoint& endpoint) {
  const bool beacons = options.beacon_port != 0 && endpoint.transport() == Transport::tcp;
  const auto& keys = options.security.keys;
  PeerProtocolOptions made{.id = id,
                           .name = options.name,
                           .endpoint = endpoint.str(),
                           .port = endpoint.port(),
                           .headers = options.headers,
                           .evasive_after = options.evasive_after,
                           .expire_after = options.expire_after,
                           .peers_max = options.peers_max};
  made.beacon_interval = beacons ? options.beacon_interval : milliseconds{0};
  if (keys) {
    const std::string& others = options.security.server_key;
    made.beacon_key = others.empty() ? keys->public_key : others;
  }
  for (const Endpoint& contact : options.connect) made.contacts.push_back(contact.str());
  return made;
}

}  // namespace

PeerEngine::PeerEngine(Context& context, const PeerOptions& options, const PeerId& id,
                       std::mutex& mutex)
    : mutex_(mutex),
      queue_(options.waiting_max),
      mailboxes_(context, {.id = id,
                           .name = options.name,
                           .bind = options.bind,
                           .host = find_interface(options.interface).address_text(),
                           .security = options.security}),
      bound_{mailboxes_.endpoint()} {
  const auto made = protocol_options(options, id, mailboxes_.endpoint());
  if (made.beacon_interval.count() > 0) {
    const Interface interface = find_interface(options.interface);
    beacons_ = std::make_unique<BeaconSocket>(interface, options.beacon_port);
  }
  protocol_ = std::make_unique<PeerProtocol>(made, context.clock().now());
  mailboxes_.release();
}

bool PeerEngine::turn(TimePoint now) {
  now_ = now;
  bool busy = read_inbox(now);
  busy |= read_beacons(now);
  const auto addresses = mailboxes_.looked_up(now);
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [endpoint, address] : addresses) {
      protocol_->looked_up(endpoint, address, now);
    }
    if (!has_room()) protocol_->was_deaf(now);
    // Also while messages flow: as libzmq reads from all in turn, a burst has heard everybody.
    if (protocol_->next_deadline() <= now) protocol_->on_time(now);
  }
  carry_out_all(now);
  maintain_at_ = mailboxes_.maintain(now);
  return busy;
}

bool PeerEngine::read_inbox(TimePoint now) {
  for (int read = 0; read < burst; ++read) {
    {
      const std::scoped_lock lock(mutex_);
      if (!has_room()) return false;
    }
    if (!mailboxes_.receive(from_, frames_, key_)) return false;
    const std::scoped_lock lock(mutex_);
    protocol_->on_message(from_, frames_, key_, now);
  }
  return true;
}

bool PeerEngine::read_beacons(TimePoint now) {
  if (!beacons_ || now < beacons_at_) return false;
  std::string_view datagram;
  in_addr from{};
  for (int read = 0; read < burst; ++read) {
    if (!beacons_->receive(datagram, from)) {
      if (read > 0) beacons_at_ = now + beacon_pause;
      return false;
    }
    const auto beacon = protocol::zre::decode_beacon(datagram);
    if (!beacon) continue;
    const std::scoped_lock lock(mutex_);
    protocol_->on_beacon(*beacon, text_of(from), now);
  }
  return true;
}

void PeerEngine::carry_out_all(TimePoint now) {
  while (true) {
    {
      const std::scoped_lock lock(mutex_);
      for (const std::uint64_t mailbox : mailboxes_.send_waiting()) {
        protocol_->congested(mailbox, false);
      }
      for (const auto& [mailbox, lost] : mailboxes_.take_broken()) {
        protocol_->broken(mailbox, lost, now);
      }
      for (const std::uint64_t mailbox : mailboxes_.take_refused()) protocol_->refused(mailbox);
      taken_.clear();
      while (auto action = protocol_->next_action()) taken_.push_back(std::move(*action));
      deadline_ = protocol_->next_deadline();
      carrying_out_ = !taken_.empty();
      if (!carrying_out_) return;
    }
    for (PeerAction& action : taken_) carry_out(action, now);
  }
}

void PeerEngine::carry_out(PeerAction& action, TimePoint now) {
  switch (action.kind) {
    case PeerAction::Kind::open:
      if (!mailboxes_.open(action.mailbox, action.to, action.endpoint, action.key)) {
        const std::scoped_lock lock(mutex_);
        protocol_->unresponsive(action.mailbox, now);
      }
      break;
    case PeerAction::Kind::close:
      mailboxes_.close(action.mailbox);
      break;
    case PeerAction::Kind::send:
      if (const std::size_t waiting = mailboxes_.send(action.mailbox, action.frames)) {
        const std::scoped_lock lock(mutex_);
        protocol_->congested(action.mailbox, true);
        if (waiting > waiting_max) protocol_->unresponsive(action.mailbox, now);
      }
      break;
    case PeerAction::Kind::beacon:
      if (beacons_) beacons_->send(encode(action.beacon));
      break;
    case PeerAction::Kind::look_up:
      mailboxes_.look_up(action.endpoint, now);
      break;
  }
}

TimePoint PeerEngine::add_to(SocketPoll& poll) {
  const std::scoped_lock lock(mutex_);
  deaf_ = !has_room();
  TimePoint until = std::min(maintain_at_, deadline_);
  const std::size_t ready = protocol_->ready();
  const bool entered = std::exchange(entered_, ready) < ready;
  if (entered && protocol_->nodes().size() - ready > crowd) {
    return std::min(until, now_ + crowd_pause);
  }
  mailboxes_.add_to(poll, !deaf_);
  if (mailboxes_.anything_waits()) until = std::min(until, now_ + full_pause);
  if (beacons_ && now_ < beacons_at_) {
    until = std::min(until, beacons_at_);
  } else if (beacons_) {
    poll.add(beacons_->descriptor());
  }
  return until;
}

PeerLedger PeerEngine::ledger() const {
  const PeerCounts& counts = protocol_->counts();
  return {.received = counts.received,
          .sent = counts.sent,
          .overflow = counts.overflow,
          .malformed = counts.malformed,
          .early = counts.early,
          .lost = counts.lost,
          .forged = counts.forged,
          .refused = counts.refused,
          .unwanted = counts.unwanted,
          .undeliverable = counts.undeliverable,
          .waiting = protocol_->events(),
          .peers = protocol_->ready()};
}

void PeerEngine::leave() {
  {
    const std::scoped_lock lock(mutex_);
    protocol_->goodbye();
  }
  carry_out_all(now_);
}

}  // namespace busbar::detail

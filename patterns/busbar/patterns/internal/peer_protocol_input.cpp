#include "busbar/patterns/internal/peer_protocol.hpp"

#include <algorithm>

namespace busbar::detail {

using namespace protocol::zre;
using namespace std::chrono_literals;
using Kind = PeerEvent::Kind;

namespace {

// A foreign node that greets us again may only have crossed our own greeting.
constexpr Duration crossing = 1s;
constexpr Duration last_words = 1s;

std::string_view header_of(const Headers& headers, std::string_view name) {
  for (const auto& [known, value] : headers) {
    if (known == name) return value;
  }
  return {};
}

}  // namespace

/// Anybody can send a beacon: with keys one proves nothing about a peer that we know.
void PeerProtocol::on_beacon(const Beacon& beacon, std::string_view host, TimePoint now) {
  if (beacon.id == options_.id) return;
  Node* const node = find(beacon.id);
  if (beacon.port == 0) {
    if (node == nullptr) return;
    if (!options_.beacon_key.empty()) return doubt(*node, now);
    // What it sent before may still be on its way, and in front of its GOODBYE.
    if (!node->ready || !node->speaks_notes) return remove(beacon.id, now);
    node->leaves = std::min(node->leaves, now + last_words);
    deadline_ = std::min(deadline_, node->leaves);
  } else if (node != nullptr) {
    if (!options_.beacon_key.empty()) return;
    node->heard = now;
    node->evasive = false;
  } else {
    require(beacon.id, "tcp://" + std::string{host} + ":" + std::to_string(beacon.port),
            options_.beacon_key, {}, now);
  }
}

/// It is asked whether it is there.
void PeerProtocol::doubt(Node& node, TimePoint now) {
  if (!node.ready || now - node.pinged < last_words) return;
  node.pinged = now;
  send(node.way, Ping{});
}

/// What its peer has said may still be on its way, and in front of a GOODBYE.
void PeerProtocol::broken(std::uint64_t mailbox, std::uint64_t lost, TimePoint now) {
  for (auto& [id, node] : nodes_) {
    if (node.way.mailbox != mailbox) continue;
    counts_.undeliverable += node.way.proven ? lost : std::max<std::uint64_t>(lost, node.way.sent);
    if (!node.ready) return remove(PeerId{id}, now);
    node.leaves = std::min(node.leaves, now + last_words);
    deadline_ = std::min(deadline_, node.leaves);
    return;
  }
  counts_.undeliverable += lost;
  for (Contact& contact : contacts_) {
    if (contact.way.mailbox == mailbox) close(contact.way);
  }
}

void PeerProtocol::on_message(std::string_view from, Multipart& frames, std::string_view key,
                              TimePoint now) {
  ++counts_.received;
  const auto id = id_of(from);
  auto message = id && !frames.empty() ? decode(frames.text(0)) : std::nullopt;
  if (!message) {
    ++counts_.malformed;
    return;
  }
  Node* const node = find(*id);
  if (node != nullptr && node->ready && node->key != key) {
    ++counts_.forged;
  } else if (auto* hello = std::get_if<Hello>(&message->body); hello && message->sequence == 1) {
    on_hello(*id, std::move(*hello), key, now);
  } else if (node == nullptr || !node->ready) {
    ++counts_.early;
  } else if (hello != nullptr || !follows(node->heard_last, message->sequence)) {
    ++counts_.lost;
    remove(*id, now);
  } else {
    on_traffic(*node, std::move(*message), frames, now);
  }
}

void PeerProtocol::on_hello(const PeerId& id, Hello&& hello, std::string_view key, TimePoint now) {
  const std::string version{header_of(hello.headers, version_header)};
  const std::string contacted{header_of(hello.headers, contact_header)};
  const auto contact = std::find_if(contacts_.begin(), contacts_.end(), [&](const Contact& one) {
    return one.way.mailbox != 0 && one.endpoint == contacted;
  });
  if (id == options_.id) {  // we asked ourselves
    if (contact == contacts_.end()) return;
    close(contact->way);
    contact->peer = id;
    return;
  }
  const bool answer = version == "answer";
  Node* node = find(id);
  if (node != nullptr && node->ready) {
    const bool crossed = version.empty() && now - node->greeted < crossing;
    if (answer || crossed) {
      --ready_;
      event(Kind::exit, *node);
    } else {
      remove(id, now);  // it has forgotten us
      node = nullptr;
    }
  }
  if (answer && contact != contacts_.end()) {
    if (node == nullptr) {
      const bool can_be_spoken_to = contact->way.key == key || peer_address(hello.endpoint);
      if (!can_be_spoken_to || nodes_.size() >= options_.peers_max) {
        ++counts_.refused;
        return;
      }
      node = &add(id, hello.endpoint, now);
    }
    use_contact(*node, *contact);
  }
  const Greeting greeting{.answer = true, .asked_at = answer ? std::string{} : contacted};
  if (node == nullptr) node = require(id, hello.endpoint, std::string{key}, greeting, now);
  if (node == nullptr) return;
  if (!use_key(*node, key, greeting, now)) {
    ++counts_.refused;
    node->ready = false;  // that it left was told
    return remove(id, now);
  }
  node->key = key;
  node->heard = node->pinged = now;
  enter(*node, std::move(hello));
}

void PeerProtocol::enter(Node& node, Hello&& hello) {
  node.ready = true;
  node.leaves = TimePoint::max();
  node.evasive = node.asked_by_us = false;
  askers_.erase(node.id);
  node.heard_last = 1;
  node.name = std::move(hello.name);
  node.headers = std::move(hello.headers);
  node.groups.clear();
  node.speaks_notes = !header_of(node.headers, version_header).empty();
  ++ready_;
  deadline_ = std::min(deadline_, due(node));
  event(Kind::enter, node);
  for (std::string& group : hello.groups) {
    if (node.groups.size() == groups_max) break;
    if (node.groups.insert(group).second) event(Kind::join, node, std::move(group));
  }
  tell_headers(node);
  ask_somebody();
  for (const PeerId& asker : askers_) {
    send(nodes_.at(asker), Note{Known{{{node.id, node.endpoint, node.key}}}});
  }
}

void PeerProtocol::on_traffic(Node& node, Message&& message, Multipart& frames, TimePoint now) {
  node.heard_last = message.sequence;
  node.heard = now;
  node.evasive = false;
  Body& body = message.body;
  if (std::holds_alternative<Whisper>(body)) {
    on_content(node, Kind::whisper, {}, frames, now);
  } else if (auto* shouted = std::get_if<Shout>(&body)) {
    on_content(node, Kind::shout, std::move(shouted->group), frames, now);
  } else if (auto* joined = std::get_if<Join>(&body)) {
    if (node.groups.size() == groups_max) {
      ++counts_.refused;
      remove(PeerId{node.id}, now);
    } else if (node.groups.insert(joined->group).second) {
      event(Kind::join, node, std::move(joined->group));
    }
  } else if (auto* left = std::get_if<Leave>(&body)) {
    if (node.groups.erase(left->group) > 0) event(Kind::leave, node, std::move(left->group));
  } else if (std::holds_alternative<Ping>(body)) {
    send(node.way, PingOk{});
  } else if (std::holds_alternative<PingOk>(body)) {
    node.way.proven = true;
  } else if (std::holds_alternative<Goodbye>(body)) {
    remove(PeerId{node.id}, now);
  }
}

void PeerProtocol::on_content(Node& node, Kind kind, std::string group, Multipart& frames,
                              TimePoint now) {
  const bool whispered = kind == Kind::whisper;
  if (whispered && node.speaks_notes && frames.size() == 3 && frames.text(1) == note_signature) {
    auto note = decode_note(frames.text(2));
    if (!note) {
      ++counts_.malformed;
      return;
    }
    return on_note(node, std::move(*note), now);
  }
  if (!whispered && !groups_.contains(group)) {
    ++counts_.unwanted;
    return;
  }
  event(kind, node, std::move(group));
  events_.back().message = std::make_shared<const Multipart>(std::move(frames));
}

void PeerProtocol::event(Kind kind, const Node& node, std::string group) {
  PeerEvent& told = events_.emplace_back();
  told.kind = kind;
  told.peer = node.id;
  told.name = node.name;
  told.group = std::move(group);
  if (kind != Kind::enter) return;
  told.endpoint = node.endpoint;
  told.headers = node.users_headers();
}

Headers PeerProtocol::Node::users_headers() const {
  Headers users;
  for (const auto& header : headers) {
    if (!header.first.starts_with(reserved_header)) users.push_back(header);
  }
  return users;
}

void PeerProtocol::on_note(Node& node, Note&& note, TimePoint now) {
  if (auto* changed = std::get_if<NewHeaders>(&note)) {
    node.headers = std::move(changed->headers);
  } else if (std::holds_alternative<Ask>(note)) {
    askers_.insert(node.id);
    tell_known(node);
  } else if (node.asked_by_us) {
    // Another machine's loopback is not ours.
    const auto teller = peer_address(node.endpoint);
    const bool near = teller && teller->is_local();
    for (const KnownNode& known : std::get<Known>(note).nodes) {
      const auto where = peer_address(known.endpoint);
      if (known.id == options_.id || find(known.id) || !where) continue;
      // It may be an older one that the teller still believes in.
      if (homes_.contains(where->str())) continue;
      if (near || !where->is_local()) require(known.id, known.endpoint, known.key, {}, now);
    }
  }
}

}  // namespace busbar::detail

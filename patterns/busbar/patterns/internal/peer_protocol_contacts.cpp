// Configured endpoints, and asking whom others know.
#include "busbar/patterns/internal/peer_protocol.hpp"

#include <algorithm>

namespace busbar::detail {

using namespace protocol::zre;
using Action = PeerAction::Kind;

namespace {

constexpr std::size_t asked_at_a_time = 3;  // whom we ask whom they know
constexpr std::size_t told_at_a_time = 500;

}  // namespace

PeerProtocol::Contact* PeerProtocol::contact_at(const std::string& address) {
  const auto found = std::find_if(contacts_.begin(), contacts_.end(), [&](const Contact& one) {
    return one.way.mailbox != 0 && one.way.address == address;
  });
  return found == contacts_.end() ? nullptr : &*found;
}

/// The connection that greeted whoever is at the contact's endpoint is this peer's.
void PeerProtocol::use_contact(Node& node, Contact& contact) {
  close(node.way);
  node.way = std::exchange(contact.way, {});
  contact.peer = node.id;
}

void PeerProtocol::try_contacts(TimePoint now) {
  for (Contact& contact : contacts_) {
    if (contact.peer) continue;
    if (now >= contact.retry) {
      close(contact.way);
      contact.retry = now + options_.evasive_after;
      if (const auto address = peer_address(contact.endpoint)) {
        ask_at(contact, address->str(), now);
      } else {
        actions_.push_back({.kind = Action::look_up, .endpoint = contact.endpoint});
      }
    }
    deadline_ = std::min(deadline_, contact.retry);
  }
}

void PeerProtocol::looked_up(const std::string& endpoint, const std::string& address,
                             TimePoint now) {
  for (Contact& contact : contacts_) {
    const bool asks = contact.endpoint == endpoint && !contact.peer && contact.way.mailbox == 0;
    if (asks) ask_at(contact, address, now);
  }
}

void PeerProtocol::ask_at(Contact& contact, const std::string& address, TimePoint now) {
  if (const Node* const there = node_at(address)) {
    contact.peer = there->id;
  } else if (contact_at(address) == nullptr) {  // else somebody asks there already
    contact.way = open(address, options_.beacon_key, {}, now);
    greet(contact.way, {.asked_at = contact.endpoint});
  }
}

void PeerProtocol::ask_somebody() {
  if (contacts_.empty()) return;
  std::size_t asked = 0;
  for (const auto& [id, node] : nodes_) asked += node.ready && node.asked_by_us ? 1 : 0;
  for (auto& [id, node] : nodes_) {
    if (asked >= asked_at_a_time) return;
    if (!node.ready || !node.speaks_notes || node.asked_by_us) continue;
    node.asked_by_us = true;
    ++asked;
    send(node, Note{Ask{}});
  }
}

void PeerProtocol::tell_known(Node& asker) {
  Known known;
  for (const auto& [id, node] : nodes_) {
    if (!node.ready || id == asker.id) continue;
    known.nodes.push_back({id, node.endpoint, node.key});
    if (known.nodes.size() < told_at_a_time) continue;
    send(asker, Note{std::exchange(known, {})});
  }
  if (!known.nodes.empty()) send(asker, Note{std::move(known)});
}

}  // namespace busbar::detail

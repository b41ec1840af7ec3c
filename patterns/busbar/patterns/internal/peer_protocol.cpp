#include "busbar/patterns/internal/peer_protocol.hpp"

#include <algorithm>
#include <utility>

#include <busbar/core/endpoint.hpp>
#include <busbar/core/error.hpp>

namespace busbar::detail {

using namespace protocol::zre;
using namespace std::chrono_literals;
using Kind = PeerEvent::Kind;
using Action = PeerAction::Kind;

namespace {

constexpr std::size_t greeting_bytes = 1024;  // of a HELLO: what it says beside ourselves, at most

}  // namespace

std::optional<Endpoint> peer_address(const std::string& text) {
  try {
    const Endpoint endpoint{text};
    if (endpoint.is_wildcard() || endpoint.has_host_name()) return std::nullopt;
    if (endpoint.transport() == Transport::inproc) return std::nullopt;
    return endpoint;
  } catch (const Error&) {
    return std::nullopt;
  }
}

PeerProtocol::PeerProtocol(PeerProtocolOptions options, TimePoint now)
    : options_(std::move(options)),
      beacon_at_(options_.beacon_interval.count() > 0 ? now : TimePoint::max()),
      deadline_(now) {
  for (std::string& endpoint : options_.contacts) contacts_.push_back({std::move(endpoint)});
}

// --- whom we know

PeerProtocol::Node* PeerProtocol::find(const PeerId& id) {
  const auto found = nodes_.find(id);
  return found == nodes_.end() ? nullptr : &found->second;
}

PeerProtocol::Node& PeerProtocol::add(const PeerId& id, std::string endpoint, TimePoint now) {
  homes_[endpoint] = id;
  Node& node = nodes_[id];
  node = {.id = id, .endpoint = std::move(endpoint), .since = now, .heard = now, .greeted = now};
  deadline_ = std::min(deadline_, due(node));
  return node;
}

/// Makes it known, connects to it and greets it. Null: it is turned away.
PeerProtocol::Node* PeerProtocol::require(const PeerId& id, const std::string& endpoint,
                                          const std::string& key, const Greeting& greeting,
                                          TimePoint now) {
  const auto where = peer_address(endpoint);
  if (!where || nodes_.size() >= options_.peers_max) {
    ++counts_.refused;
    return nullptr;
  }
  // Whoever listened there before is gone.
  const auto before = homes_.find(where->str());
  if (before != homes_.end()) remove(PeerId{before->second}, now);
  Node& node = add(id, where->str(), now);
  if (Contact* const contact = contact_at(node.endpoint)) {
    use_contact(node, *contact);
    return &node;
  }
  node.way = open(node.endpoint, key, id, now);
  greet(node.way, greeting);
  return &node;
}

void PeerProtocol::remove(const PeerId& id, TimePoint now) {
  const auto found = nodes_.find(id);
  if (found->second.ready) {
    --ready_;
    event(Kind::exit, found->second);
  }
  // It may live, and only have been cut off: others may know.
  if (!contacts_.empty()) ask_again_ = std::min(ask_again_, now + options_.evasive_after);
  deadline_ = std::min(deadline_, ask_again_);
  close(found->second.way);
  const auto home = homes_.find(found->second.endpoint);
  if (home != homes_.end() && home->second == id) homes_.erase(home);
  askers_.erase(id);
  nodes_.erase(found);
  for (Contact& contact : contacts_) {
    if (contact.peer != id) continue;
    contact.peer.reset();
    contact.retry = now;
    deadline_ = std::min(deadline_, now);
  }
  ask_somebody();
}

PeerProtocol::Node* PeerProtocol::node_at(const std::string& address) {
  const auto found = std::find_if(nodes_.begin(), nodes_.end(), [&](const auto& known) {
    return known.second.way.mailbox != 0 && known.second.way.address == address;
  });
  return found == nodes_.end() ? nullptr : &found->second;
}

/// Whatever leads there already is closed first, as it would go with this one.
PeerProtocol::Way PeerProtocol::open(const std::string& address, const std::string& key,
                                     std::optional<PeerId> to, TimePoint now) {
  if (const Node* const before = node_at(address)) remove(PeerId{before->id}, now);
  if (Contact* const contact = contact_at(address)) close(contact->way);
  actions_.push_back({.kind = Action::open,
                      .mailbox = ++last_mailbox_,
                      .to = to,
                      .endpoint = address,
                      .key = key});
  return {.mailbox = last_mailbox_, .address = address, .key = key};
}

void PeerProtocol::close(Way& way) {
  if (way.mailbox != 0) actions_.push_back({.kind = Action::close, .mailbox = way.mailbox});
  way = {};
}

/// Whoever spoke to us can be spoken to with the key that it has proven to have, whatever key its
/// beacon was taken to stand for. False: where it says it is nobody can be.
bool PeerProtocol::use_key(Node& node, std::string_view key, const Greeting& greeting,
                           TimePoint now) {
  if (node.way.key == key) return true;
  const auto where = peer_address(node.endpoint);
  if (!where) return false;
  close(node.way);
  node.way = open(where->str(), std::string{key}, node.id, now);
  greet(node.way, greeting);
  return true;
}

// --- what we say

Hello PeerProtocol::hello() const {
  return {.endpoint = options_.endpoint,
          .groups = {groups_.begin(), groups_.end()},
          .status = status_,
          .name = options_.name,
          .headers = options_.headers};
}

bool PeerProtocol::others_take_us() const {
  return groups_.size() <= groups_max &&
         encode(Message{1, hello()}).size() + greeting_bytes <= hello_bytes &&
         encode(Note{NewHeaders{options_.headers}}).size() <= hello_bytes;
}

void PeerProtocol::greet(Way& way, const Greeting& greeting) {
  Hello hello = this->hello();
  way.headers = headers_version_;
  hello.headers.emplace_back(version_header, greeting.answer ? "answer" : "first");
  if (!greeting.asked_at.empty()) {
    hello.headers.emplace_back(contact_header, greeting.asked_at);
  }
  send(way, hello);
}

void PeerProtocol::send(Way& way, const Body& body, Multipart* content) {
  PeerAction action{.kind = Action::send, .mailbox = way.mailbox};
  action.frames.push_back(encode(Message{++way.sent, body}));
  if (content != nullptr) {
    for (Frame& frame : *content) {
      Frame copy;
      copy.copy(frame);  // large ones share their bytes
      action.frames.push_back(std::move(copy));
    }
  }
  ++counts_.sent;
  actions_.push_back(std::move(action));
}

void PeerProtocol::send_all(const Body& body) {
  for (auto& [id, node] : nodes_) send(node.way, body);
  for (Contact& contact : contacts_) {
    if (contact.way.mailbox != 0) send(contact.way, body);
  }
}

void PeerProtocol::send(Node& node, const Note& note) {
  Multipart content{note_signature, encode(note)};
  send(node.way, Whisper{}, &content);
}

bool PeerProtocol::join(const std::string& group) {
  const auto [joined, is_new] = groups_.insert(group);
  if (!is_new) return true;
  if (!others_take_us()) {
    groups_.erase(joined);
    return false;
  }
  ++status_;
  send_all(Join{group, status_});
  return true;
}

void PeerProtocol::leave(const std::string& group) {
  if (groups_.erase(group) == 0) return;
  ++status_;
  send_all(Leave{group, status_});
}

SendResult PeerProtocol::whisper(const PeerId& to, Multipart& content) {
  Node* const node = find(to);
  if (node == nullptr || !node->ready) return SendResult::no_peer;
  if (node->way.congested) {
    ++counts_.overflow;
    return SendResult::full;
  }
  node->way.spoke = true;
  send(node->way, Whisper{}, &content);
  return SendResult::sent;
}

std::size_t PeerProtocol::shout(const std::string& group, Multipart& content) {
  std::size_t reached = 0;
  for (auto& [id, node] : nodes_) {
    if (!node.ready || !node.groups.contains(group)) continue;
    if (node.way.congested) {
      ++counts_.overflow;
      continue;
    }
    node.way.spoke = true;
    send(node.way, Shout{group}, &content);
    ++reached;
  }
  return reached;
}

bool PeerProtocol::set_offers(Headers offers) {
  const Headers before = options_.headers;
  std::erase_if(options_.headers,
                [](const auto& header) { return header.first.starts_with(offer_header); });
  options_.headers.insert(options_.headers.end(), offers.begin(), offers.end());
  if (!others_take_us()) {
    options_.headers = before;
    return false;
  }
  ++headers_version_;
  for (auto& [id, node] : nodes_) tell_headers(node);
  return true;
}

/// Its HELLO told what they were then.
void PeerProtocol::tell_headers(Node& node) {
  if (!node.ready || !node.speaks_notes || node.way.headers == headers_version_) return;
  node.way.headers = headers_version_;
  send(node, NewHeaders{options_.headers});
}

void PeerProtocol::goodbye() {
  if (options_.beacon_interval.count() > 0) {
    actions_.push_back({.kind = Action::beacon, .beacon = {options_.id, 0}});
  }
  for (auto& [id, node] : nodes_) {
    if (node.ready && node.speaks_notes) send(node.way, Goodbye{});
  }
}

// --- time

void PeerProtocol::on_time(TimePoint now) {
  if (now >= beacon_at_) {
    actions_.push_back({.kind = Action::beacon, .beacon = {options_.id, options_.port}});
    beacon_at_ = now + options_.beacon_interval;
  }
  std::vector<PeerId> gone;
  for (const auto& [id, node] : nodes_) {
    if (now >= gone_at(node)) gone.push_back(id);
  }
  for (const PeerId& id : gone) remove(id, now);
  deadline_ = TimePoint::max();
  for (auto& [id, node] : nodes_) look_after(node, now);
  try_contacts(now);
  if (now >= ask_again_) {
    ask_again_ = TimePoint::max();
    for (auto& [id, node] : nodes_) node.asked_by_us = false;
    ask_somebody();
  }
  deadline_ = std::min({deadline_, beacon_at_, ask_again_});
}

/// A beacon does not excuse whoever never says HELLO.
TimePoint PeerProtocol::gone_at(const Node& node) const {
  const TimePoint heard = node.ready ? node.heard : node.since;
  return std::min(heard + options_.expire_after, node.leaves);
}

/// Whoever is silent is asked; and whoever may wait for our next number gets one, as only that
/// shows it that the last was lost with a connection.
TimePoint PeerProtocol::ping_at(const Node& node) const {
  const Duration half = options_.evasive_after / 2;
  return std::min(std::max(node.heard, node.pinged) + half, node.pinged + options_.expire_after);
}

TimePoint PeerProtocol::due(const Node& node) const {
  const TimePoint gone = gone_at(node);
  if (!node.ready) return gone;
  const TimePoint evasive = node.evasive ? TimePoint::max() : node.heard + options_.evasive_after;
  return std::min({gone, ping_at(node), evasive});
}

void PeerProtocol::look_after(Node& node, TimePoint now) {
  if (node.ready && now >= ping_at(node)) {
    node.pinged = now;
    send(node.way, Ping{});
  }
  if (node.ready && !node.evasive && now >= node.heard + options_.evasive_after) {
    node.evasive = true;
    event(Kind::evasive, node);
  }
  deadline_ = std::min(deadline_, due(node));
}

void PeerProtocol::was_deaf(TimePoint now) {
  for (auto& [id, node] : nodes_) {
    if (node.ready) node.heard = std::max(node.heard, now);
  }
}

void PeerProtocol::congested(std::uint64_t mailbox, bool is) {
  for (auto& [id, node] : nodes_) {
    if (node.way.mailbox == mailbox) node.way.congested = is;
  }
}

bool PeerProtocol::anything_congested() const noexcept {
  return std::any_of(nodes_.begin(), nodes_.end(),
                     [](const auto& known) { return known.second.way.congested; });
}

void PeerProtocol::refused(std::uint64_t mailbox) {
  for (auto& [id, node] : nodes_) {
    if (node.way.mailbox == mailbox) send(node.way, Ping{});
  }
}

void PeerProtocol::prove() {
  for (auto& [id, node] : nodes_) {
    if (is_unproven(node) && !std::exchange(node.way.asked, true)) send(node.way, Ping{});
  }
}

bool PeerProtocol::anything_unproven() const noexcept {
  return std::any_of(nodes_.begin(), nodes_.end(),
                     [](const auto& known) { return is_unproven(known.second); });
}

bool PeerProtocol::is_unproven(const Node& node) noexcept {
  return node.ready && node.way.spoke && !node.way.proven;
}

void PeerProtocol::unresponsive(std::uint64_t mailbox, TimePoint now) {
  for (const auto& [id, node] : nodes_) {
    if (node.way.mailbox == mailbox) return remove(PeerId{id}, now);
  }
}

std::optional<PeerAction> PeerProtocol::next_action() {
  if (actions_.empty()) return std::nullopt;
  std::optional<PeerAction> action{std::move(actions_.front())};
  actions_.pop_front();
  return action;
}

std::optional<PeerEvent> PeerProtocol::next_event() {
  if (events_.empty()) return std::nullopt;
  std::optional<PeerEvent> event{std::move(events_.front())};
  events_.pop_front();
  return event;
}

}  // namespace busbar::detail

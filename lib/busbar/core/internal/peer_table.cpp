#include "busbar/core/internal/peer_table.hpp"

#include <algorithm>
#include <utility>

namespace busbar::detail {

namespace {

constexpr std::size_t most = 1000;

constexpr const char* unknown = "unknown";

/// Who left before it could be asked for its address has none: our own endpoint is no name for it.
std::string label_of(const std::string& address, const std::string& endpoint) {
  if (!address.empty()) return address;
  return endpoint.starts_with("ipc://") ? endpoint : unknown;
}

}  // namespace

PeerInfo* PeerTable::find(const std::string& address) {
  const auto same = [&](const PeerInfo& peer) { return peer.address == address; };
  const auto found = std::find_if(peers_.rbegin(), peers_.rend(), same);
  return found == peers_.rend() ? nullptr : &*found;
}

PeerInfo* PeerTable::find_or_add(const std::string& address) {
  if (PeerInfo* known = find(address)) return known;
  if (peers_.size() >= most) {
    const auto gone = [](const PeerInfo& peer) { return !peer.connected; };
    const auto oldest = std::find_if(peers_.begin(), peers_.end(), gone);
    if (oldest == peers_.end()) return nullptr;
    peers_.erase(oldest);
  }
  peers_.push_back({.address = address});
  return &peers_.back();
}

void PeerTable::on_event(const SocketEvent& event) {
  using Kind = SocketEvent::Kind;
  const std::string failed_before = std::exchange(just_failed_, {});
  const bool dialled = dialled_.contains(event.endpoint);
  switch (event.kind) {
    case Kind::connecting:
      dialled_.insert(event.endpoint);
      find_or_add(event.endpoint);
      return;
    case Kind::accepted:
      return accept(event);
    case Kind::connected:
      if (!dialled) return welcome_newest(event.endpoint);
      if (!open_.contains(event.endpoint)) book(event.endpoint);
      return;
    case Kind::handshake_failed:
      if (dialled) return refuse(event.endpoint, event.cause);
      just_failed_ = event.endpoint;
      causes_[event.endpoint] = event.cause;
      return;
    case Kind::disconnected:
      if (dialled) return unbook(event.endpoint);
      just_failed_ = failed_before;
      end(event);
      just_failed_.clear();
      return;
    default:
      return;
  }
}

void PeerTable::accept(const SocketEvent& event) {
  // libzmq does not tell of every connection that it ends itself; its descriptor comes again.
  if (accepted_.contains(event.connection)) end(event);
  accepted_[event.connection] = {event.endpoint, event.peer};
  shaking_[event.endpoint].push_back(event.connection);
}

void PeerTable::welcome_newest(const std::string& endpoint) {
  const auto waiting = shaking_.find(endpoint);
  if (waiting == shaking_.end()) return;
  Accepted& peer = accepted_[waiting->second.back()];
  peer.welcome = true;
  book(label_of(peer.address, endpoint));
  waiting->second.pop_back();
  if (waiting->second.empty()) shaking_.erase(waiting);
}

void PeerTable::end(const SocketEvent& event) {
  const auto found = accepted_.find(event.connection);
  if (found == accepted_.end()) return;
  const Accepted peer = found->second;
  const std::string label = label_of(peer.address, peer.endpoint);
  const auto waiting = shaking_.find(peer.endpoint);
  accepted_.erase(found);
  if (!peer.welcome && waiting != shaking_.end()) {
    std::erase(waiting->second, event.connection);
    if (waiting->second.empty()) shaking_.erase(waiting);
  }
  // The handshake that failed a moment ago was this one's, so the one that succeeded was another's.
  const bool mistaken = peer.welcome && just_failed_ == peer.endpoint && waiting != shaking_.end();
  if (mistaken) {
    if (PeerInfo* known = find(label)) --known->connections;
    welcome_newest(peer.endpoint);
  }
  if (peer.welcome) unbook(label);
  if (!peer.welcome || mistaken) {
    refuse(peer.address.empty() ? "unknown" : peer.address, causes_[peer.endpoint]);
  }
}

void PeerTable::refuse(const std::string& address, const std::string& cause) {
  PeerInfo* const peer = find_or_add(address);
  if (peer == nullptr) return;
  ++peer->refused;
  peer->last_failure = cause;
}

void PeerTable::book(const std::string& address) {
  ++open_[address];
  PeerInfo* const peer = find_or_add(address);
  if (peer == nullptr) return;
  peer->connected = true;
  ++peer->connections;
}

void PeerTable::unbook(const std::string& address) {
  const auto open = open_.find(address);
  if (open != open_.end() && --open->second == 0) open_.erase(open);
  if (PeerInfo* const peer = find(address)) peer->connected = open_.contains(address);
}

}  // namespace busbar::detail

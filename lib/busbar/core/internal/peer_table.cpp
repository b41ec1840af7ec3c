#include "busbar/core/internal/peer_table.hpp"

#include <algorithm>

namespace busbar {

namespace {
constexpr std::size_t most = 1000;
}

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
  peers_.push_back({{}, address, false, 0, {}});
  return &peers_.back();
}

void PeerTable::on_event(const SocketEvent& event) {
  using Kind = SocketEvent::Kind;
  const std::string& address = event.peer.empty() ? event.endpoint : event.peer;
  const bool comes = event.kind == Kind::accepted || event.kind == Kind::connecting;
  // A handshake of an accepted connection is reported under our own endpoint, which is no peer.
  PeerInfo* peer = comes ? find_or_add(address) : find(address);
  if (peer == nullptr) return;
  const bool dialled = event.kind == Kind::connected && !peer->connected;
  if (event.kind == Kind::accepted || dialled) {
    ++open_[address];
    peer->connected = true;
    ++peer->connections;
  }
  if (event.kind == Kind::disconnected) {
    const auto open = open_.find(address);
    if (open != open_.end() && --open->second == 0) open_.erase(open);
    peer->connected = open_.contains(address);
  }
  if (event.kind == Kind::handshake_failed) peer->last_failure = event.cause;
}

}  // namespace busbar

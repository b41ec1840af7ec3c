#include "busbar/core/internal/peer_table.hpp"

#include <algorithm>

namespace busbar {

namespace {
constexpr std::size_t most = 1000;
}

PeerInfo& PeerTable::find_or_add(const std::string& address) {
  const auto same = [&](const PeerInfo& peer) { return peer.address == address; };
  const auto found = std::find_if(peers_.rbegin(), peers_.rend(), same);
  if (found != peers_.rend()) return *found;
  if (peers_.size() >= most) {
    const auto gone = [](const PeerInfo& peer) { return !peer.connected; };
    const auto oldest = std::find_if(peers_.begin(), peers_.end(), gone);
    peers_.erase(oldest == peers_.end() ? peers_.begin() : oldest);
  }
  peers_.push_back({{}, address, false, 0, {}});
  return peers_.back();
}

void PeerTable::on_event(const SocketEvent& event) {
  using Kind = SocketEvent::Kind;
  // Handshakes of accepted connections are reported by our endpoint alone; the connection itself
  // was seen as accepted, by its own address.
  const std::string& address = event.peer.empty() ? event.endpoint : event.peer;
  switch (event.kind) {
    case Kind::accepted: {
      PeerInfo& peer = find_or_add(address);
      peer.connected = true;
      ++peer.connections;
      break;
    }
    case Kind::connecting:
      find_or_add(address);
      break;
    case Kind::connected:
      if (PeerInfo& peer = find_or_add(address); !peer.connected) {
        peer.connected = true;
        ++peer.connections;
      }
      break;
    case Kind::disconnected:
      find_or_add(address).connected = false;
      break;
    case Kind::handshake_failed:
      find_or_add(address).last_failure = event.cause;
      break;
    default:
      break;
  }
}

}  // namespace busbar

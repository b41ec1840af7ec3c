#include "busbar/core/internal/slow_peers.hpp"

#include <algorithm>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace busbar::detail {

void SlowPeers::on_event(const SocketEvent& event) {
  if (event.connection < 0) return;
  using Kind = SocketEvent::Kind;
  if (event.kind == Kind::accepted || event.kind == Kind::connecting) {
    connections_[event.connection] = event.peer.empty() ? event.endpoint : event.peer;
  } else if (event.kind == Kind::disconnected) {
    connections_.erase(event.connection);
  }
}

std::vector<SlowPeers::Peer> SlowPeers::fullest() const {
  std::vector<Peer> peers;
  int most = 0;
  for (const auto& [connection, address] : connections_) {
    int waiting = 0;
    // Fails where libzmq has closed it, and its event is still to be read.
    if (ioctl(connection, SIOCOUTQ, &waiting) != 0 || waiting == 0) continue;
    peers.push_back({connection, address, waiting});
    most = std::max(most, waiting);
  }
  std::erase_if(peers, [most](const Peer& peer) { return peer.waiting < most / 2; });
  return peers;
}

std::vector<std::string> SlowPeers::full() const {
  std::vector<std::string> addresses;
  for (Peer& peer : fullest()) addresses.push_back(std::move(peer.address));
  return addresses;
}

std::size_t SlowPeers::cut() {
  const std::vector<Peer> peers = fullest();
  for (const Peer& peer : peers) {
    shutdown(peer.connection, SHUT_RDWR);
    connections_.erase(peer.connection);
  }
  return peers.size();
}

}  // namespace busbar::detail

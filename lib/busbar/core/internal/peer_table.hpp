/// Who is and was connected, out of the monitor's events.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <busbar/core/ledger.hpp>
#include <busbar/core/socket.hpp>

namespace busbar {

class PeerTable {
 public:
  void on_event(const SocketEvent& event);
  const std::vector<PeerInfo>& all() const noexcept { return peers_; }

 private:
  PeerInfo* find(const std::string& address);
  /// Null where there is no room: every known peer is connected.
  PeerInfo* find_or_add(const std::string& address);

  std::vector<PeerInfo> peers_;
  /// Open connections by address: all ipc peers have the address of the endpoint.
  std::map<std::string, unsigned> open_;
};

}  // namespace busbar

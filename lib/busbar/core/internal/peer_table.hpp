/// Who is and was connected, out of the monitor's events.
#pragma once

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
  PeerInfo& find_or_add(const std::string& address);

  std::vector<PeerInfo> peers_;
};

}  // namespace busbar

/// Which peers do not read: libzmq does not tell, but the kernel knows how much waits for each.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <busbar/core/socket.hpp>

namespace busbar::detail {

/// Knows tcp and ipc connections, whoever made them. The address of one that was made to an
/// endpoint is that endpoint.
class SlowPeers {
 public:
  void on_event(const SocketEvent& event);
  /// The addresses of those that the kernel holds the most bytes for (SIOCOUTQ, unix(7), tcp(7)):
  /// at least half as many as for the fullest.
  std::vector<std::string> full() const;
  /// Cuts their connections, as if the peers had left; answers how many.
  std::size_t cut();

 private:
  struct Peer {
    int connection;
    std::string address;
    int waiting;
  };
  std::vector<Peer> fullest() const;

  std::map<int, std::string> connections_;
};

}  // namespace busbar::detail

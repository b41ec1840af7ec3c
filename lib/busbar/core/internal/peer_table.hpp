/// Who is and was connected, out of the monitor's events.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <busbar/core/ledger.hpp>
#include <busbar/core/socket.hpp>

namespace busbar::detail {

/// A connection counts from the end of its handshake on; one whose handshake fails is a refusal.
/// libzmq names the connection when it is accepted and when it ends, but for a handshake only the
/// endpoint of ours: so it is taken for that of the connection accepted last, and put right where a
/// failure shows that it was another's.
class PeerTable {
 public:
  void on_event(const SocketEvent& event);
  const std::vector<PeerInfo>& all() const noexcept { return peers_; }

 private:
  struct Accepted {
    std::string endpoint = {};
    std::string address = {};  ///< Empty for ipc, and where it left at once.
    bool welcome = false;      ///< Its handshake has succeeded.
  };

  void accept(const SocketEvent& event);
  void welcome_newest(const std::string& endpoint);
  void end(const SocketEvent& event);
  void refuse(const std::string& address, const std::string& cause);
  void book(const std::string& address);
  void unbook(const std::string& address);
  PeerInfo* find(const std::string& address);
  /// Null where there is no room: every known peer is connected.
  PeerInfo* find_or_add(const std::string& address);

  std::vector<PeerInfo> peers_;
  /// Open connections by address: all ipc peers have the address of the endpoint.
  std::map<std::string, unsigned> open_;
  std::set<std::string> dialled_;     ///< Endpoints that we connect to.
  std::map<int, Accepted> accepted_;  ///< By connection, as long as it is open.
  std::map<std::string, std::vector<int>>
      shaking_;                                ///< Not welcome yet, by endpoint, oldest first.
  std::map<std::string, std::string> causes_;  ///< The last failure at each endpoint.
  std::string just_failed_;                    ///< The endpoint, if that was the last event.
};

}  // namespace busbar::detail

/// UDP broadcast on one interface: how peers announce themselves.
#pragma once

#include <cstdint>
#include <netinet/in.h>
#include <string>
#include <string_view>

namespace busbar::detail {

/// An IPv4 address of this machine, and how to reach all who share its network.
struct Interface {
  std::string name = {};
  in_addr address = {};
  in_addr netmask = {};
  in_addr broadcast = {};  ///< Of loopback: 127.255.255.255.

  std::string address_text() const;
  bool holds(in_addr other) const noexcept {
    return ((other.s_addr ^ address.s_addr) & netmask.s_addr) == 0;
  }
};

/// `name`: `lo`, `eth0`, or one of its IPv4 addresses. Throws Error (usage) that names those that
/// there are.
Interface find_interface(const std::string& name);

/// Shares its port with every other one on this machine; all of them hear each broadcast. Calls
/// never block.
class BeaconSocket {
 public:
  /// Throws Error (unreachable).
  BeaconSocket(const Interface& interface, std::uint16_t port);
  BeaconSocket(const BeaconSocket&) = delete;
  BeaconSocket& operator=(const BeaconSocket&) = delete;
  ~BeaconSocket();

  /// False: the network takes none now.
  bool send(std::string_view datagram);
  /// The next datagram, and who sent it; empty where that is another network's. False: none is
  /// there. Valid until the next call.
  bool receive(std::string_view& datagram, in_addr& from);
  int descriptor() const noexcept { return descriptor_; }

 private:
  Interface interface_;
  std::uint16_t port_;
  int descriptor_;
  char buffer_[256] = {};
};

std::string text_of(in_addr address);

}  // namespace busbar::detail

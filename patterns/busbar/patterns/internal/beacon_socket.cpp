#include "busbar/patterns/internal/beacon_socket.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <ifaddrs.h>
#include <memory>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <busbar/core/error.hpp>

namespace busbar::detail {

namespace {

constexpr int receive_buffer = 1 << 20;  // a thousand peers may start in the same moment

in_addr address_in(const sockaddr* address) {
  sockaddr_in ipv4{};
  std::memcpy(&ipv4, address, sizeof ipv4);
  return ipv4.sin_addr;
}

sockaddr_in address_of(in_addr host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr = host;
  address.sin_port = htons(port);
  return address;
}

Interface read_interface(const ifaddrs& entry) {
  Interface found{entry.ifa_name, address_in(entry.ifa_addr), address_in(entry.ifa_netmask)};
  // Loopback has no broadcast address of its own, and takes that of its network all the same.
  found.broadcast.s_addr = found.address.s_addr | ~found.netmask.s_addr;
  return found;
}

}  // namespace

std::string text_of(in_addr address) {
  std::array<char, INET_ADDRSTRLEN> text{};
  inet_ntop(AF_INET, &address, text.data(), text.size());
  return text.data();
}

std::string Interface::address_text() const { return text_of(address); }

Interface find_interface(const std::string& name) {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) {
    throw Error(ErrorKind::unreachable, "list the interfaces", std::strerror(errno));
  }
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> all{first, freeifaddrs};
  std::string others;
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    if (entry->ifa_netmask == nullptr || (entry->ifa_flags & IFF_UP) == 0) continue;
    Interface found = read_interface(*entry);
    if (found.name == name || found.address_text() == name) return found;
    others += (others.empty() ? "" : ", ") + found.name + " (" + found.address_text() + ")";
  }
  throw Error(ErrorKind::usage, "interface '" + printable(name) + "'",
              "this machine has none of that name with an IPv4 address",
              "give one of " + printable(others));
}

BeaconSocket::BeaconSocket(const Interface& interface, std::uint16_t port)
    : interface_(interface),
      port_(port),
      descriptor_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  const int on = 1;
  const sockaddr_in address = address_of({htonl(INADDR_ANY)}, port);
  const auto* const any = reinterpret_cast<const sockaddr*>(&address);
  const auto set = [&](int option, const int& value) {
    return setsockopt(descriptor_, SOL_SOCKET, option, &value, sizeof value) == 0;
  };
  if (descriptor_ >= 0 && set(SO_REUSEADDR, on) && set(SO_REUSEPORT, on) && set(SO_BROADCAST, on) &&
      set(SO_RCVBUF, receive_buffer) && bind(descriptor_, any, sizeof address) == 0) {
    return;
  }
  const std::string cause = std::strerror(errno);
  if (descriptor_ >= 0) close(descriptor_);
  throw Error(ErrorKind::unreachable, "listen for beacons on UDP port " + std::to_string(port),
              cause, "give another beacon port, the same to all peers, or 0 for none");
}

BeaconSocket::~BeaconSocket() { close(descriptor_); }

bool BeaconSocket::send(std::string_view datagram) {
  const sockaddr_in address = address_of(interface_.broadcast, port_);
  const auto* const all = reinterpret_cast<const sockaddr*>(&address);
  return sendto(descriptor_, datagram.data(), datagram.size(), 0, all, sizeof address) >= 0;
}

bool BeaconSocket::receive(std::string_view& datagram, in_addr& from) {
  while (true) {
    sockaddr_in sender{};
    socklen_t size = sizeof sender;
    const ssize_t got = recvfrom(descriptor_, buffer_, sizeof buffer_, 0,
                                 reinterpret_cast<sockaddr*>(&sender), &size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    const bool near = interface_.holds(sender.sin_addr);
    datagram = {buffer_, near ? static_cast<std::size_t>(got) : 0};
    from = sender.sin_addr;
    return true;
  }
}

}  // namespace busbar::detail

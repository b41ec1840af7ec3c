/// A UDP port that nobody uses, for beacons of one test.
#pragma once

#include <cstdint>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace busbar::testing {

inline std::uint16_t free_udp_port() {
  const int probe = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  const bool bound = bind(probe, any, size) == 0 && getsockname(probe, any, &size) == 0;
  close(probe);
  return bound ? ntohs(address.sin_port) : 0;
}

}  // namespace busbar::testing

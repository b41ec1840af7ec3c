/// A ZeroMQ address, parsed once: an Endpoint that exists is valid.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace busbar {

enum class Transport { tcp, ipc, inproc, peer };

/// `tcp://HOST:PORT`, `ipc://PATH` or `inproc://NAME`, as in zmq_tcp(7), zmq_ipc(7), zmq_inproc(7);
/// or `peer://NAME`, to connect to where a Peer of the context knows this service to be offered.
///
/// HOST is an IPv4 address, an IPv6 address in brackets, a host name, an interface name, or `*`
/// (every interface, for binding). PORT is 1 to 65535, or `*` or 0 (the system chooses, for
/// binding). PATH has at most 107 bytes (sockaddr_un) and may be `*` (libzmq makes a temporary
/// one); NAME has at most 255 bytes, of a peer's service 200 and no space.
class Endpoint {
 public:
  /// Throws Error (usage) that says what is wrong with `text` and how a good one looks.
  Endpoint(std::string_view text);
  Endpoint(const std::string& text) : Endpoint(std::string_view{text}) {}
  Endpoint(const char* text) : Endpoint(std::string_view{text}) {}

  Transport transport() const noexcept { return transport_; }
  /// tcp: the host without brackets; else empty.
  const std::string& host() const noexcept { return host_; }
  /// tcp: the port, 0 where the system chooses; else 0.
  std::uint16_t port() const noexcept { return port_; }
  /// ipc: the path; inproc and peer: the name; else empty.
  const std::string& path() const noexcept { return path_; }
  /// The canonical text, as libzmq takes it. Equal endpoints have equal texts.
  const std::string& str() const noexcept { return text_; }

  /// Part of the address is chosen at bind: `*` as host, port or path. Not fit to connect to.
  bool is_wildcard() const noexcept;
  /// Never leaves this machine: inproc, ipc, or tcp on 127.0.0.0/8, ::1 or `localhost`.
  bool is_local() const noexcept;
  /// tcp with a host name, or peer: it must be looked up before it can be connected to.
  bool has_host_name() const noexcept;
  /// tcp only: the same port at another host, given without brackets.
  Endpoint with_host(std::string_view host) const;

  friend bool operator==(const Endpoint& a, const Endpoint& b) { return a.text_ == b.text_; }
  friend auto operator<=>(const Endpoint& a, const Endpoint& b) { return a.text_ <=> b.text_; }

 private:
  Transport transport_ = Transport::inproc;
  std::uint16_t port_ = 0;
  std::string host_;
  std::string path_;
  std::string text_;
};

}  // namespace busbar

#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstddef>
#include <limits>

#include <busbar/core/endpoint.hpp>
#include <busbar/core/error.hpp>

namespace busbar {

namespace {

constexpr std::size_t path_bytes = 107;  // sockaddr_un.sun_path, less its closing zero
constexpr std::size_t name_bytes = 255;
constexpr std::size_t host_bytes = 253;  // RFC 1035
constexpr std::string_view tcp_form = "write tcp://HOST:PORT, e.g. tcp://127.0.0.1:5555";
constexpr std::string_view ipc_form = "write ipc://PATH, e.g. ipc:///tmp/orders";
constexpr std::size_t service_bytes = 200;
constexpr std::string_view peer_form = "write peer://NAME, e.g. peer://prices";
constexpr std::string_view inproc_form = "write inproc://NAME, e.g. inproc://orders";

[[noreturn]] void refuse(std::string_view text, std::string cause, std::string_view form) {
  throw Error(ErrorKind::usage, "endpoint '" + printable(text) + "'", std::move(cause),
              std::string(form));
}

bool consists_of(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

bool is_ipv4(const std::string& host) {
  in_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1;
}

/// The shortest form, so that equal addresses have equal texts; empty where it is no address.
std::string canonical_ipv6(std::string_view host) {
  const std::size_t percent = host.find('%');
  const std::string_view zone =
      percent == std::string_view::npos ? std::string_view{} : host.substr(percent);
  constexpr std::string_view zone_letters =
      "%abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  if (zone.size() == 1 || !consists_of(zone, zone_letters) || zone.rfind('%') + 1 > 1) return {};
  in6_addr address{};
  if (inet_pton(AF_INET6, std::string(host.substr(0, percent)).c_str(), &address) != 1) return {};
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(AF_INET6, &address, text.data(), text.size());
  return text.data() + std::string(zone);
}

std::string parse_host(std::string_view text, std::string_view host) {
  constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
  if (host.empty()) refuse(text, "no host", tcp_form);
  if (host == "*") return "*";
  if (host.front() == '[') {
    std::string address =
        host.back() == ']' ? canonical_ipv6(host.substr(1, host.size() - 2)) : std::string{};
    if (address.empty()) refuse(text, "no IPv6 address in the brackets", tcp_form);
    return address;
  }
  if (host.find(':') != std::string_view::npos) {
    refuse(text, "an IPv6 address without brackets, or two ports",
           "write tcp://[ADDRESS]:PORT, e.g. tcp://[::1]:5555");
  }
  std::string name{host};
  if (consists_of(host, "0123456789.")) {
    if (!is_ipv4(name)) refuse(text, "no IPv4 address", tcp_form);
  } else if (!consists_of(host, letters)) {
    refuse(text, "the host has a character that no host has", tcp_form);
  } else if (host.size() > host_bytes) {
    refuse(text, "the host is longer than 253 bytes", tcp_form);
  } else if (host.front() == '.' || host.front() == '-' || name.find("..") != std::string::npos) {
    refuse(text, "the host has an empty part", tcp_form);
  }
  return name;
}

std::uint16_t parse_port(std::string_view text, std::string_view port) {
  if (port == "*") return 0;
  if (port.empty()) refuse(text, "no port", tcp_form);
  if (!consists_of(port, "0123456789")) refuse(text, "the port is no number", tcp_form);
  std::uint16_t value = 0;
  if (std::from_chars(port.data(), port.data() + port.size(), value).ec != std::errc{}) {
    refuse(text, "the port is above 65535", tcp_form);
  }
  return value;
}

std::string tcp_text(const std::string& host, std::uint16_t port) {
  const bool ipv6 = host.find(':') != std::string::npos;
  return "tcp://" + (ipv6 ? "[" + host + "]" : host) + ":" +
         (port == 0 ? "*" : std::to_string(port));
}

/// ipc and inproc: whatever can be shown without escapes.
std::string parse_path(std::string_view text, std::string_view path, std::size_t max,
                       std::string_view form) {
  if (path.empty()) refuse(text, "nothing behind ://", form);
  if (path.size() > max) refuse(text, "longer than " + std::to_string(max) + " bytes", form);
  if (printable(path, max) != path) {
    refuse(text, "a control character, or no well-formed UTF-8", form);
  }
  return std::string(path);
}

}  // namespace

Endpoint::Endpoint(std::string_view text) {
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) refuse(text, "no transport", tcp_form);
  const std::string_view scheme = text.substr(0, scheme_end);
  const std::string_view rest = text.substr(scheme_end + 3);
  if (scheme == "tcp") {
    transport_ = Transport::tcp;
    const std::size_t colon = rest.rfind(':');
    const std::size_t bracket = rest.rfind(']');
    const bool in_brackets = bracket != std::string_view::npos && colon < bracket;
    if (colon == std::string_view::npos || in_brackets) refuse(text, "no port", tcp_form);
    host_ = parse_host(text, rest.substr(0, colon));
    port_ = parse_port(text, rest.substr(colon + 1));
    text_ = tcp_text(host_, port_);
  } else if (scheme == "ipc") {
    transport_ = Transport::ipc;
    path_ = parse_path(text, rest, path_bytes, ipc_form);
    text_ = "ipc://" + path_;
  } else if (scheme == "inproc") {
    path_ = parse_path(text, rest, name_bytes, inproc_form);
    text_ = "inproc://" + path_;
  } else if (scheme == "peer") {
    transport_ = Transport::peer;
    path_ = parse_path(text, rest, service_bytes, peer_form);
    if (path_.find(' ') != std::string::npos) refuse(text, "a space", peer_form);
    text_ = "peer://" + path_;
  } else {
    refuse(text, "unknown transport",
           "one of tcp://HOST:PORT, ipc://PATH, inproc://NAME, peer://NAME");
  }
}

bool Endpoint::is_wildcard() const noexcept {
  if (transport_ == Transport::tcp) return host_ == "*" || port_ == 0;
  return transport_ == Transport::ipc && path_ == "*";
}

bool Endpoint::is_local() const noexcept {
  if (transport_ != Transport::tcp) return true;
  return host_ == "::1" || host_ == "localhost" || (host_.starts_with("127.") && is_ipv4(host_));
}

bool Endpoint::has_host_name() const noexcept {
  if (transport_ == Transport::peer) return true;
  if (transport_ != Transport::tcp || host_ == "*") return false;
  return host_.find(':') == std::string::npos && !is_ipv4(host_);
}

Endpoint Endpoint::with_host(std::string_view host) const {
  if (transport_ != Transport::tcp) refuse(text_, "only tcp has a host", tcp_form);
  const std::string port = port_ == 0 ? "*" : std::to_string(port_);
  const bool ipv6 = host.find(':') != std::string_view::npos;
  return Endpoint{"tcp://" + (ipv6 ? "[" + std::string(host) + "]" : std::string(host)) + ":" +
                  port};
}

}  // namespace busbar

#include "busbar/core/internal/monitor.hpp"

#include <array>
#include <atomic>
#include <cstring>
#include <netdb.h>
#include <sys/socket.h>
#include <utility>

#include <busbar/core/clock.hpp>
#include <busbar/core/error.hpp>
#include <busbar/core/internal/frames.hpp>

namespace busbar::detail {

namespace {

using Kind = SocketEvent::Kind;

constexpr int failures = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                         ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                         ZMQ_EVENT_BIND_FAILED | ZMQ_EVENT_ACCEPT_FAILED |
                         ZMQ_EVENT_MONITOR_STOPPED;

std::optional<Kind> kind_of(std::uint16_t event) {
  switch (event) {
    case ZMQ_EVENT_LISTENING:
      return Kind::listening;
    case ZMQ_EVENT_ACCEPTED:
      return Kind::accepted;
    case ZMQ_EVENT_CONNECTED:  // the transport alone; the handshake is still to come
    case ZMQ_EVENT_CONNECT_DELAYED:
      return Kind::connecting;
    case ZMQ_EVENT_CONNECT_RETRIED:
      return Kind::retrying;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      return Kind::connected;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      return Kind::handshake_failed;
    case ZMQ_EVENT_DISCONNECTED:
      return Kind::disconnected;
    case ZMQ_EVENT_CLOSED:
      return Kind::closed;
    case ZMQ_EVENT_BIND_FAILED:
      return Kind::bind_failed;
    case ZMQ_EVENT_ACCEPT_FAILED:
      return Kind::accept_failed;
    default:
      return std::nullopt;
  }
}

std::string cause_of(std::uint16_t event, std::uint32_t value) {
  const int number = static_cast<int>(value);
  switch (event) {
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      if (value == 400) return "access refused";  // RFC 27
      return "access refused (ZAP status " + std::to_string(value) + ")";
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      if (number == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH) {
        return "one side has keys and the other has none";
      }
      if (number == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC) {
        return "the keys do not fit (is it the right server key?)";
      }
      if ((number & ZMQ_PROTOCOL_ERROR_ZAP_UNSPECIFIED) != 0) return "access refused";
      return "it does not speak ZMTP 3 as it should (code " + std::to_string(value) + ")";
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
      if (number == EPIPE || number == ECONNRESET || number == 0) {
        return "the other side hung up (another kind of socket, no ZeroMQ peer, or it refused our "
               "keys)";
      }
      return zmq_strerror(number);
    case ZMQ_EVENT_BIND_FAILED:
    case ZMQ_EVENT_ACCEPT_FAILED:
      return zmq_strerror(number);
    default:
      return {};
  }
}

/// A dual-stack socket shows an IPv4 address as one of IPv6: `[::ffff:127.0.0.1]:5555`.
std::string unmapped(std::string address) {
  constexpr std::string_view mapped = "[::ffff:";
  const std::size_t start = address.find(mapped);
  if (start == std::string::npos || address.find('.', start) == std::string::npos) return address;
  address.erase(address.find(']', start), 1);
  address.erase(start, mapped.size());
  return address;
}

/// `127.0.0.1:40312`; empty for ipc, or where the connection is gone already.
std::string address_of(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  if (address.ss_family != AF_INET && address.ss_family != AF_INET6) return {};
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (getnameinfo(reinterpret_cast<sockaddr*>(&address), size, host.data(), host.size(),
                  port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return {};
  }
  const std::string name = host.data();
  const bool v6 = name.find(':') != std::string::npos;
  return unmapped((v6 ? "[" + name + "]" : name) + ":" + port.data());
}

/// Its number and its value.
std::pair<std::uint16_t, std::uint32_t> event_of(const Multipart& message) {
  std::uint16_t number = 0;
  std::uint32_t value = 0;
  std::memcpy(&number, message[0].data(), sizeof number);
  std::memcpy(&value, static_cast<const char*>(message[0].data()) + sizeof number, sizeof value);
  return {number, value};
}

}  // namespace

std::string next_monitor_address() {
  static std::atomic<unsigned long> next{0};
  return "inproc://busbar.monitor." + std::to_string(++next);
}

Monitor::Monitor(void* context, void* socket, bool failures_only)
    : watched_(socket), receiver_(zmq_socket(context, ZMQ_PAIR)) {
  const std::string address = next_monitor_address();
  const int events = failures_only ? failures : ZMQ_EVENT_ALL;
  const int unbounded = 0;  // so that a burst of events never blocks libzmq's I/O thread
  if (receiver_ != nullptr &&
      zmq_setsockopt(receiver_, ZMQ_RCVHWM, &unbounded, sizeof unbounded) == 0 &&
      zmq_setsockopt(receiver_, ZMQ_LINGER, &unbounded, sizeof unbounded) == 0 &&
      zmq_socket_monitor(socket, address.c_str(), events) == 0 &&
      zmq_connect(receiver_, address.c_str()) == 0) {
    return;
  }
  const std::string cause = zmq_strerror(zmq_errno());
  if (receiver_ != nullptr) zmq_close(receiver_);
  throw Error(ErrorKind::unreachable, "monitor a socket", cause,
              "raise ContextOptions::max_sockets");
}

Monitor::~Monitor() {
  if (watched_ != nullptr) zmq_socket_monitor(watched_, nullptr, 0);
  zmq_close(receiver_);
}

void Monitor::wait_for_end(std::chrono::milliseconds longest) {
  watched_ = nullptr;
  const TimePoint end = after(std::chrono::steady_clock::now(), longest);
  while (true) {
    const Received received = receive_frames(receiver_, message_, ZMQ_DONTWAIT);
    if (received == Received::closed) return;
    if (received == Received::message) {
      std::uint16_t number = 0;
      std::memcpy(&number, message_[0].data(), sizeof number);
      if (number == ZMQ_EVENT_MONITOR_STOPPED) return;
      continue;
    }
    const auto left = left_until(end, std::chrono::steady_clock::now());
    if (left.count() == 0) return;
    zmq_pollitem_t item{receiver_, 0, ZMQ_POLLIN, 0};
    zmq_poll(&item, 1, static_cast<long>(left.count()));
  }
}

void Monitor::keep_connections(Farewell& farewell) {
  while (next()) {
  }
  for (const auto& [descriptor, connection] : connections_) {
    farewell.keep(descriptor, connection.identity);
  }
}

int Monitor::bind_failure() {
  int failure = 0;
  while (receive_frames(receiver_, message_, ZMQ_DONTWAIT) == Received::message) {
    const auto [number, value] = event_of(message_);
    if (number == ZMQ_EVENT_BIND_FAILED) failure = static_cast<int>(value);
  }
  return failure;
}

std::optional<SocketEvent> Monitor::next() {
  if (next_) return std::exchange(next_, std::nullopt);
  while (receive_frames(receiver_, message_, ZMQ_DONTWAIT) == Received::message) {
    std::optional<SocketEvent> event = decode();
    if (!event) continue;
    if (event->kind != Kind::disconnected || !ends_silently(*event)) return event;
    next_ = std::move(event);
    return SocketEvent{Kind::handshake_failed, next_->endpoint, {}, std::string{wrong_kind}};
  }
  return std::nullopt;
}

void Monitor::follow_handshake(const SocketEvent& event) {
  const auto at = shaking_.find(event.endpoint);
  if (at == shaking_.end()) return;
  // Nothing says whose it was: with several at one endpoint none is followed any more.
  if (event.kind == Kind::connected) {
    shaking_.erase(at);
  } else if (event.kind == Kind::handshake_failed && at->second.failed < at->second.open.size()) {
    ++at->second.failed;
  }
}

bool Monitor::ends_silently(const SocketEvent& event) {
  const auto at = shaking_.find(event.endpoint);
  if (at == shaking_.end() || at->second.open.erase(event.connection) == 0) return false;
  const bool told = at->second.failed > 0;
  if (told) --at->second.failed;
  if (at->second.open.empty()) shaking_.erase(at);
  return !told;
}

std::optional<SocketEvent> Monitor::decode() {
  const auto [number, value] = event_of(message_);
  const std::optional<Kind> kind = kind_of(number);
  if (!kind) return std::nullopt;

  SocketEvent event{*kind, unmapped(std::string(message_.text(1))), {}, cause_of(number, value)};
  const int descriptor = static_cast<int>(value);
  if (event.kind == Kind::accepted) {
    event.connection = descriptor;
    event.peer = address_of(descriptor);
    connections_[descriptor] = {event.peer, identity_of(descriptor)};
  } else if (number == ZMQ_EVENT_CONNECTED) {
    event.connection = descriptor;
    connections_[descriptor] = {{}, identity_of(descriptor)};
  } else if (event.kind == Kind::disconnected) {
    event.connection = descriptor;
    if (const auto found = connections_.find(descriptor); found != connections_.end()) {
      event.peer = std::move(found->second.peer);
      connections_.erase(found);
    }
  }
  if (event.kind == Kind::accepted || number == ZMQ_EVENT_CONNECTED)
    shaking_[event.endpoint].open.insert(descriptor);
  follow_handshake(event);
  return event;
}

}  // namespace busbar::detail

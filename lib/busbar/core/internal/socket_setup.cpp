#include "busbar/core/internal/socket_setup.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <random>
#include <sys/stat.h>

#include <zmq.h>

#include <busbar/core/error.hpp>

namespace busbar::detail {

namespace {

std::string cause_of(int error) {
  std::string text = zmq_strerror(error);
  text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

void set(void* socket, int option, const void* value, std::size_t size) {
  if (zmq_setsockopt(socket, option, value, size) != 0) {
    throw Error(ErrorKind::usage, "set socket option " + std::to_string(option),
                cause_of(zmq_errno()));
  }
}
void set(void* socket, int option, int value) { set(socket, option, &value, sizeof value); }
void set(void* socket, int option, const std::string& value) {
  set(socket, option, value.data(), value.size());
}

/// Only subscriptions come in at these. libzmq keeps them in a tree with a level for each byte and
/// takes it down recursively, so a subscription of a megabyte would overflow the stack.
bool publishes(SocketType type) { return type == SocketType::xpub || type == SocketType::pub; }
constexpr std::size_t subscription_max = 1024;

/// libzmq adds less than one interval of jitter, which leaves a thousand clients in step.
int random_reconnect_interval() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_int_distribution<int>(100, 500)(random);
}

void apply_network(void* socket, const SocketOptions& options) {
  const int heartbeat = static_cast<int>(options.heartbeat.count());
  if (heartbeat > 0) {
    set(socket, ZMQ_HEARTBEAT_IVL, heartbeat);
    set(socket, ZMQ_HEARTBEAT_TIMEOUT, 3 * heartbeat);
    set(socket, ZMQ_HEARTBEAT_TTL, 3 * heartbeat);
  }
  set(socket, ZMQ_RECONNECT_IVL, random_reconnect_interval());
  set(socket, ZMQ_RECONNECT_IVL_MAX, 10'000);
  bool off_machine = false;
  for (const Endpoint& endpoint : options.bind) off_machine |= !endpoint.is_local();
  set(socket, ZMQ_HANDSHAKE_IVL, off_machine ? 5'000 : 10'000);
  set(socket, ZMQ_CONNECT_TIMEOUT, 5'000);
  set(socket, ZMQ_TCP_KEEPALIVE, 1);
  set(socket, ZMQ_TCP_KEEPALIVE_IDLE, 10);
  set(socket, ZMQ_TCP_KEEPALIVE_INTVL, 5);
  set(socket, ZMQ_TCP_KEEPALIVE_CNT, 3);
  set(socket, ZMQ_IPV6, options.ipv4_only ? 0 : 1);
  set(socket, ZMQ_BACKLOG, 1024);
}

void apply_type(void* socket, SocketType type, const SocketOptions& options) {
  switch (type) {
    case SocketType::router:
      set(socket, ZMQ_ROUTER_MANDATORY, 1);
      set(socket, ZMQ_ROUTER_HANDOVER, 1);
      break;
    case SocketType::xpub:
      if (options.verbose_subscriptions) set(socket, ZMQ_XPUB_VERBOSER, 1);
      if (options.refuse_when_full) set(socket, ZMQ_XPUB_NODROP, 1);
      break;
    case SocketType::push:
    case SocketType::dealer:
      // With several peers a message must not wait for one that is not there; with one it may.
      if (options.connect.size() > 1) set(socket, ZMQ_IMMEDIATE, 1);
      break;
    default:
      break;
  }
}

/// Within a process nothing is encrypted.
bool leaves_process(const std::vector<Endpoint>& endpoints) {
  return std::any_of(endpoints.begin(), endpoints.end(), [](const Endpoint& endpoint) {
    return endpoint.transport() != Transport::inproc;
  });
}

void apply_security(void* socket, const SocketOptions& options) {
  const Security& security = options.security;
  const bool binds = leaves_process(options.bind);
  if (!security.keys || (!binds && !leaves_process(options.connect))) return;
  set(socket, ZMQ_CURVE_PUBLICKEY, security.keys->public_key);
  set(socket, ZMQ_CURVE_SECRETKEY, security.keys->secret_key);
  if (binds) {
    set(socket, ZMQ_CURVE_SERVER, 1);
  } else {
    set(socket, ZMQ_CURVE_SERVERKEY, security.server_key);
  }
}

[[noreturn]] void refuse(const std::string& operation, const std::string& cause,
                         const std::string& remedy) {
  throw Error(ErrorKind::usage, operation, cause, remedy);
}

/// Who connected to a socket with keys is told of in a message that libzmq 4.3.4 never counts as
/// read: with room for one, nothing else would ever arrive.
int receive_queue_of(const SocketOptions& options) {
  const bool told = options.security.keys && !options.bind.empty();
  return told && options.receive_queue == 1 ? 2 : options.receive_queue;
}

}  // namespace

int zmq_type(SocketType type) noexcept {
  constexpr std::array types{ZMQ_PUB, ZMQ_SUB, ZMQ_XPUB,   ZMQ_XSUB,   ZMQ_PUSH, ZMQ_PULL,
                             ZMQ_REQ, ZMQ_REP, ZMQ_DEALER, ZMQ_ROUTER, ZMQ_PAIR};
  return types[static_cast<std::size_t>(type)];
}

void check_options(SocketType type, const SocketOptions& options) {
  const std::string who = "socket '" + options.name + "' (" + std::string(name_of(type)) + ")";
  const Security& security = options.security;
  const bool binds = leaves_process(options.bind);
  const bool connects = leaves_process(options.connect);
  if (options.linger.count() < 0) refuse(who, "linger is negative", "give 0 ms or more");
  if (options.send_queue < 0 || options.receive_queue < 0) {
    refuse(who, "a queue is negative", "give the messages for each peer, or 0 for no bound");
  }
  if (options.receive_max < 276) {
    refuse(who, "receive_max is below 276 bytes, which the handshake needs", "raise it");
  }
  if (security.keys && binds && connects) {
    refuse(who, "one socket cannot be CURVE server and client", "bind or connect, not both");
  }
  if (security.keys && binds && !security.allow) {
    refuse(who, "keys without an allow-list would admit anyone", "set allow (--allow FILE)");
  }
  if (security.keys && connects && !is_curve_key(security.server_key)) {
    refuse(who, "the server's public key is missing or no key",
           "set server_key (--server-key FILE)");
  }
  if (!security.keys && (security.allow || !security.server_key.empty())) {
    refuse(who, "an allow-list or a server key needs keys of our own", "set keys (--key FILE)");
  }
  for (const Endpoint& endpoint : options.bind) {
    if (endpoint.is_local() || security.keys || security.insecure) continue;
    refuse("bind " + endpoint.str(), "not on loopback and without keys: anyone could connect",
           "set keys and allow (--key FILE --allow FILE), or insecure (--insecure)");
  }
  for (const Endpoint& endpoint : options.connect) {
    if (endpoint.is_wildcard()) {
      refuse("connect " + endpoint.str(), "no address to connect to", "name host and port");
    }
  }
}

void apply_options(void* socket, SocketType type, const SocketOptions& options,
                   const std::string& zap_domain) {
  // A subscriber has subscriptions to send, and they end with it.
  const auto linger = type == SocketType::sub ? 0 : options.linger.count();
  set(socket, ZMQ_LINGER, static_cast<int>(linger));
  const bool subscribes = type == SocketType::sub || type == SocketType::xsub;
  // Re-sent subscriptions are dropped at the high-water mark after a reconnect (libzmq issue 2942).
  set(socket, ZMQ_SNDHWM, subscribes ? 0 : options.send_queue);
  set(socket, ZMQ_RCVHWM, receive_queue_of(options));
  const auto receive_max = static_cast<std::int64_t>(
      publishes(type) ? std::min(options.receive_max, subscription_max) : options.receive_max);
  set(socket, ZMQ_MAXMSGSIZE, &receive_max, sizeof receive_max);
  if (!options.routing_id.empty()) set(socket, ZMQ_ROUTING_ID, options.routing_id);
  // With a domain, and a handler that is always there, libzmq turns ZMTP 1 and 2 peers away.
  if (!zap_domain.empty()) set(socket, ZMQ_ZAP_DOMAIN, zap_domain);
  apply_network(socket, options);
  apply_type(socket, type, options);
  apply_security(socket, options);
}

Endpoint bind_socket(void* socket, const Endpoint& endpoint, const SocketOptions& options,
                     Monitor& monitor) {
  // libzmq takes a name to bind for that of an interface.
  const bool named = endpoint.transport() == Transport::tcp && endpoint.host() == "localhost";
  const Endpoint target = named ? endpoint.with_host("127.0.0.1") : endpoint;
  if (zmq_bind(socket, target.str().c_str()) != 0) {
    int error = zmq_errno();
    // Telling the monitor may have overwritten it.
    if (const int told = monitor.bind_failure(); told != 0) error = told;
    const char* remedy = error == EADDRINUSE ? "another process listens there"
                         : error == EACCES   ? "it needs more rights"
                         : error == ENODEV || error == EADDRNOTAVAIL
                             ? "this machine has no such address or interface"
                             : "";
    throw Error(ErrorKind::unreachable, "bind " + endpoint.str(), cause_of(error), remedy);
  }
  std::array<char, 512> text{};
  std::size_t size = text.size();
  zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, text.data(), &size);
  if (endpoint.transport() == Transport::ipc && options.ipc_mode != 0 && !endpoint.is_wildcard()) {
    if (chmod(endpoint.path().c_str(), static_cast<mode_t>(options.ipc_mode)) != 0) {
      throw Error(ErrorKind::refused, "set the permissions of " + endpoint.str(), cause_of(errno),
                  "give a path in the file system, or no permissions");
    }
  }
  const Endpoint bound{text.data()};
  if (endpoint.transport() != Transport::tcp) return bound;
  // libzmq names the address as its dual-stack listener sees it; say what the caller said.
  const std::string host = endpoint.host().find(':') == std::string::npos
                               ? endpoint.host()
                               : "[" + endpoint.host() + "]";
  return Endpoint{"tcp://" + host + ":" + std::to_string(bound.port())};
}

}  // namespace busbar::detail

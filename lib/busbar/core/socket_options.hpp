/// What a socket is made from: all options are fixed before bind and connect.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <busbar/core/curve.hpp>
#include <busbar/core/endpoint.hpp>
#include <busbar/core/limits.hpp>

namespace busbar {

/// libzmq's socket types, zmq_socket(3).
enum class SocketType { pub, sub, xpub, xsub, push, pull, req, rep, dealer, router, pair };
/// `PUSH`, `XPUB`, ….
std::string_view name_of(SocketType type) noexcept;

/// Who may read and write what passes. Without keys a socket does not bind off loopback unless
/// `insecure` says so.
struct Security {
  std::optional<CurveKeys> keys = {};     ///< Our pair: everything is encrypted (CURVE).
  std::shared_ptr<AllowList> allow = {};  ///< Binding with keys: who may connect. Required.
  std::string server_key = {};            ///< Connecting with keys: the server's public key.
  bool insecure = false;                  ///< Bind off loopback without keys all the same.
};

struct SocketOptions {
  std::string name = {};  ///< In errors, logs and reports; default: the type.
  std::vector<Endpoint> bind = {};
  std::vector<Endpoint> connect = {};  ///< The same endpoint twice is connected once.
  Security security = {};
  /// Messages for each peer (ZMQ_SNDHWM, ZMQ_RCVHWM), 0 without bound. The worst case in memory is
  /// peers x (send + receive) x message size. SUB and XSUB always send subscriptions unbounded.
  int send_queue = 1000;
  int receive_queue = 1000;
  std::size_t receive_max = limits::message_bytes;  ///< Bytes a frame that comes in; at least 276.
  /// After close, for what is not sent yet. Finite. SUB: none, as its subscriptions end with it.
  std::chrono::milliseconds linger{1000};
  /// ZMTP ping interval; a peer that is silent for three is dead. 0: off, and the kernel finds dead
  /// tcp peers (keepalive, 25 s). Only for sockets that never stop reading: libzmq 4.3.4 answers no
  /// ping while its queue is full, and aborts the process where the peer leaves meanwhile.
  std::chrono::milliseconds heartbeat{0};
  bool ipv4_only = false;
  std::string routing_id = {};  ///< What a ROUTER at the other end sees; default: generated.
  unsigned ipc_mode = 0;  ///< Permissions of a bound ipc path, set once it is; 0: the umask's.
  bool verbose_subscriptions = false;  ///< XPUB: report repeated (un)subscriptions too.
  /// The monitor tells of what fails, and of nothing else: `peers` stays empty, and a connection
  /// that libzmq gives up is not repaired. For hundreds of connections, each of which costs five
  /// events.
  bool failures_only = false;
  bool refuse_when_full = false;  ///< XPUB: send answers `full` where it would drop for a peer.
};

}  // namespace busbar

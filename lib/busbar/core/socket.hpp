/// A ZeroMQ socket with the defaults of an expert, its monitor, and the repair of its connections.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <busbar/core/context.hpp>
#include <busbar/core/ledger.hpp>
#include <busbar/core/multipart.hpp>
#include <busbar/core/socket_options.hpp>
#include <busbar/core/topic.hpp>

namespace busbar {

namespace detail {
struct SocketState;
}

/// What became of a message that was to be sent, by a socket or by a pattern.
enum class SendResult {
  sent,
  full,       ///< No room now, or nobody to send to yet: try again. The message is untouched.
  no_peer,    ///< ROUTER: the addressed peer is not connected. The message is untouched.
  too_large,  ///< A frame above limits::message_bytes, or more than limits::frames. The message is
              ///< untouched.
};

/// What the socket monitor saw, zmq_socket_monitor(3), or the look-up of a host name.
struct SocketEvent {
  enum class Kind {
    listening,
    accepted,
    connecting,
    retrying,
    connected,
    handshake_failed,
    disconnected,
    closed,
    bind_failed,
    accept_failed,
    /// The host name to connect to has no address, or we may not open the ipc path; it is tried
    /// again later.
    not_resolved,
  };
  Kind kind;
  std::string endpoint;  ///< Ours: the one that was bound or connected.
  std::string peer;      ///< `127.0.0.1:40312` where known (accepted connections), else empty.
  std::string cause;     ///< …_failed, not_resolved: why, in words; else empty.
  /// accepted, disconnected, and connecting once the transport is there: which one; used anew once
  /// it is closed.
  int connection = -1;
};
std::string_view name_of(SocketEvent::Kind kind) noexcept;

/// Move-only, owned by one thread: the one that uses it first, until `release` is called; any other
/// thread's call throws Error `socket 'orders' is owned by another thread`. Calls do not block
/// unless they take a timeout. The destructor closes and never hangs; what is not sent yet is sent
/// in the background for the linger time. A socket keeps what it needs of its context alive.
///
/// Calls that move messages, subscribe or hand out a handle throw Error: usage, after `close` or a
/// move, in another's thread, and for what the socket type does not do; refused, once the context
/// was stopped. What is normal in operation (full, no peer, nothing there) is never thrown.
///
/// Whoever owns a socket for longer than a few calls lets an EventLoop serve it, or calls
/// `maintain`: that is what reads the monitor, repairs connections that libzmq gives up, looks
/// host names up again, and logs failed handshakes.
class Socket {
 public:
  /// Sets every option, then binds and connects; connecting goes on in the background. Throws
  /// Error. usage: options that contradict one another, an endpoint off loopback without keys, keys
  /// without an allow-list. unreachable: an endpoint that cannot be bound (with the cause), an ipc
  /// path that is a file or is served by another process. refused: no room for another socket,
  /// permissions that cannot be set, a stopped context.
  Socket(Context& context, SocketType type, SocketOptions options = {});
  Socket(Socket&&) noexcept;
  Socket& operator=(Socket&&) noexcept;
  ~Socket();

  /// Never blocks. The message is moved out only where the answer is `sent`. One without a frame,
  /// or from a ROUTER with nothing behind the address, throws Error (usage).
  [[nodiscard]] SendResult send(Multipart& message);
  [[nodiscard]] SendResult send(Multipart&& message) { return send(message); }
  /// Waits for room for at most `timeout`.
  [[nodiscard]] SendResult send(Multipart& message, std::chrono::milliseconds timeout);
  [[nodiscard]] SendResult send(Multipart&& message, std::chrono::milliseconds timeout) {
    return send(message, timeout);
  }

  /// Never blocks. Receives one message into `into`, whose slots are reused; false: none there. One
  /// of more than limits::frames is logged and passed over.
  [[nodiscard]] bool receive(Multipart& into);
  /// Waits for at most `timeout`; empty: none came.
  [[nodiscard]] std::optional<Multipart> receive(std::chrono::milliseconds timeout);

  /// SUB and XSUB: asks for the pattern's prefix; filter again with TopicPattern::matches.
  void subscribe(const TopicPattern& pattern);
  void unsubscribe(const TopicPattern& pattern);

  /// Any of cppzmq's typed options: `socket.set(zmq::sockopt::xpub_nodrop, true)`. What libzmq
  /// only takes before bind or connect has no effect here: use SocketOptions.
  template <class Option, class Value>
  void set(Option option, const Value& value) {
    raw().set(option, value);
  }
  template <class Option>
  auto get(Option option) {
    return raw().get(option);
  }

  // These five are for a socket that is open, and what they refer to lives until it is closed.
  const std::string& name() const noexcept;
  SocketType type() const noexcept;
  /// Where it is bound, with the ports that the system chose.
  const std::vector<Endpoint>& bound() const noexcept;
  /// Connections by peer, as far as the monitor was read; at most 1,000, the oldest closed ones
  /// go. Changes with `maintain`.
  const std::vector<PeerInfo>& peers() const noexcept;

  /// Messages of more than limits::frames frames, which `receive` threw away.
  std::uint64_t refused() const noexcept;

  /// Reads the monitor, carries out what is due, and says when to call again at the latest
  /// (Clock::now() based). Cheap when nothing happened. Call it when `monitor()` is readable.
  TimePoint maintain();
  /// Called from `maintain`, in the owner's thread; what it throws comes out there.
  void on_event(std::function<void(const SocketEvent&)> handler);

  /// Gives the socket free for another thread to own, which must use it only after this call
  /// returned (a thread started afterwards, a mutex, a queue: anything that orders memory).
  void release() noexcept;
  void close() noexcept;
  /// Closes with this linger time, and waits until its addresses are free and its connections cut:
  /// what a peer sends from then on is not taken for delivered by a socket that nobody reads.
  /// Blocks for as long as a peer has not read all that was sent to it, at most about `linger`.
  void close(std::chrono::milliseconds linger);
  /// Closes, and waits until peers on tcp and ipc have read all that was sent to them, for at most
  /// `longest`; what is late goes on in the background for the linger time. Closed without it, a
  /// socket loses what the kernel still holds: on tcp once the peer says anything, on ipc where it
  /// reads slowly.
  void see_off(std::chrono::milliseconds longest);

  /// For polling and for calls that Busbar does not wrap; checks the owner. Valid until `close`.
  zmq::socket_ref raw();
  /// The monitor's socket, for polling only. Valid until `close`.
  zmq::socket_ref monitor();

 private:
  detail::SocketState& state() const;
  std::unique_ptr<detail::SocketState> state_;
};

}  // namespace busbar

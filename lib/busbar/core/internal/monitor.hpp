/// Reads a socket's monitor, zmq_socket_monitor(3).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <busbar/core/internal/farewell.hpp>
#include <busbar/core/multipart.hpp>
#include <busbar/core/socket.hpp>

namespace busbar::detail {

/// The cause of a handshake_failed that libzmq does not tell of.
inline constexpr std::string_view wrong_kind = "the other side is another kind of socket";

/// Owns the monitor's receiving end. Stop the monitored socket's monitor before this is destroyed:
/// an unread monitor hangs its socket (libzmq issue 2829).
class Monitor {
 public:
  /// Starts to watch `socket`. Throws Error where libzmq has no room for another socket.
  Monitor(void* context, void* socket, bool failures_only = false);
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;
  ~Monitor();

  /// The next event, if there is one; libzmq's events that nobody needs are skipped. Where the two
  /// ends' types do not fit, libzmq 4.3.4 ends the handshake without a word at the end that sees
  /// it first: that is told as handshake_failed, with `wrong_kind`.
  std::optional<SocketEvent> next();
  /// The error that the last bind failed with; 0: not told. Reads all events.
  int bind_failure();
  /// Once the watched socket is closed: waits until libzmq has let go of it, of its addresses and
  /// its connections; for at most `longest`.
  void wait_for_end(std::chrono::milliseconds longest);
  /// Reads all events, for the connections that stand.
  void keep_connections(Farewell& farewell);
  void* handle() const noexcept { return receiver_; }

 private:
  /// Those at one endpoint whose end is still to come.
  struct Handshakes {
    std::set<int> open = {};  ///< Descriptors.
    std::size_t failed = 0;   ///< Of them; their disconnections are still to come.
  };
  struct Connection {
    std::string peer = {};
    std::uint64_t identity = 0;
  };

  std::optional<SocketEvent> decode();
  void follow_handshake(const SocketEvent& event);
  /// Whether this disconnection ends a handshake, and nothing said so.
  bool ends_silently(const SocketEvent& event);

  void* watched_;  ///< Null once it is closed.
  void* receiver_;
  Multipart message_;
  std::map<int, Connection> connections_;      ///< by descriptor
  std::map<std::string, Handshakes> shaking_;  ///< by endpoint
  std::optional<SocketEvent> next_;
};

/// A new monitor address, unique in this process.
std::string next_monitor_address();

}  // namespace busbar::detail

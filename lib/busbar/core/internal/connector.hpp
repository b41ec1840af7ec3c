/// Keeps a socket's connections alive where libzmq would not: a pure machine.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <busbar/core/clock.hpp>
#include <busbar/core/endpoint.hpp>
#include <busbar/core/internal/resolver.hpp>
#include <busbar/core/socket.hpp>

namespace busbar::detail {

/// What the connector wants done.
struct ConnectorAction {
  enum class Kind { resolve, connect, disconnect, log };
  Kind kind;
  std::string subject;  ///< resolve, connect, disconnect: the endpoint; log: the text
};

/// libzmq 4.3.4 reconnects by itself, but (a) gives a connection up for good after a protocol error
/// such as an oversize frame, which is seen as `disconnected` without `retrying` behind it (libzmq
/// issue 4196); (b) looks host names up in its I/O thread, where a slow look-up stalls everything,
/// and is silent about unknown ones (issues 3243 and 2961). So host names are looked up outside and
/// connected to by address, again and again as long as there is no connection, and what was given
/// up is reconnected; both after pauses that double up to ten seconds.
class Connector {
 public:
  explicit Connector(std::vector<Endpoint> endpoints);

  /// The first actions; later ones come from the inputs below.
  std::vector<ConnectorAction> start(TimePoint now);
  std::vector<ConnectorAction> on_event(const SocketEvent& event, TimePoint now);
  /// The address of a service is its endpoint; an empty one: the name is not known (for now).
  std::vector<ConnectorAction> on_resolved(const Resolver::Result& result, TimePoint now);
  std::vector<ConnectorAction> on_time(TimePoint now);
  /// When on_time wants to be called; TimePoint::max() for never.
  TimePoint next_deadline() const noexcept;

 private:
  enum class Repair { none, retry_event, reconnect };
  struct Connection {
    Endpoint wanted;
    std::string address = {};  ///< What libzmq was given; empty: nothing yet.
    bool connected = false;
    std::string failure = {};  ///< Why the last handshake failed; empty: it did not.
    Repair repair = Repair::none;
    TimePoint repair_due = TimePoint::max();
    TimePoint look_up_due = TimePoint::max();
    Duration repair_pause = {};
    Duration look_up_pause = {};
  };
  static void plan_repair(Connection& connection, Repair repair, TimePoint due);
  static void plan_look_up(Connection& connection, TimePoint now);

  std::vector<Connection> connections_;
};

}  // namespace busbar::detail

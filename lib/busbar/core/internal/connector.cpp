#include "busbar/core/internal/connector.hpp"

#include <algorithm>

#include <busbar/core/error.hpp>

namespace busbar {

using namespace std::chrono_literals;
using Kind = ConnectorAction::Kind;

namespace {
// libzmq announces its own retry in the same breath as the disconnection.
constexpr Duration retry_event_grace = 200ms;
constexpr Duration shortest_pause = 200ms;
constexpr Duration longest_pause = 10s;
}  // namespace

Connector::Connector(std::vector<Endpoint> endpoints) {
  for (Endpoint& endpoint : endpoints) {
    const auto same = [&](const Connection& c) { return c.wanted == endpoint; };
    if (std::none_of(connections_.begin(), connections_.end(), same)) {
      connections_.push_back({std::move(endpoint), {}, Wait::nothing, TimePoint::max(), {}});
    }
  }
}

std::vector<ConnectorAction> Connector::start(TimePoint) {
  std::vector<ConnectorAction> actions;
  for (Connection& connection : connections_) {
    if (connection.wanted.has_host_name()) {
      actions.push_back({Kind::resolve, connection.wanted.host()});
    } else {
      connection.address = connection.wanted.str();
      actions.push_back({Kind::connect, connection.address});
    }
  }
  return actions;
}

void Connector::lengthen(Connection& connection) const {
  connection.pause = std::clamp(connection.pause * 2, shortest_pause, longest_pause);
}

std::vector<ConnectorAction> Connector::on_event(const SocketEvent& event, TimePoint now) {
  std::vector<ConnectorAction> actions;
  for (Connection& connection : connections_) {
    if (connection.address != event.endpoint || connection.address.empty()) continue;
    switch (event.kind) {
      case SocketEvent::Kind::connected:
        connection.pause = {};
        connection.wait = Wait::nothing;
        connection.due = TimePoint::max();
        break;
      case SocketEvent::Kind::disconnected:
        connection.wait = Wait::retry_event;
        connection.due = now + retry_event_grace;
        if (connection.wanted.has_host_name()) {
          actions.push_back({Kind::resolve, connection.wanted.host()});
        }
        break;
      case SocketEvent::Kind::retrying:
        if (connection.wait == Wait::retry_event) {
          connection.wait = Wait::nothing;
          connection.due = TimePoint::max();
        }
        break;
      default:
        break;
    }
  }
  return actions;
}

std::vector<ConnectorAction> Connector::on_resolved(const std::string& host,
                                                    const std::string& address, TimePoint now) {
  std::vector<ConnectorAction> actions;
  for (Connection& connection : connections_) {
    if (connection.wanted.host() != host) continue;
    if (address.empty()) {
      actions.push_back({Kind::log, "cannot resolve '" + printable(host) + "' (retrying)"});
      if (!connection.address.empty()) continue;
      lengthen(connection);
      connection.wait = Wait::look_up;
      connection.due = now + connection.pause;
      continue;
    }
    const std::string found = connection.wanted.with_host(address).str();
    if (found == connection.address) continue;
    if (!connection.address.empty()) actions.push_back({Kind::disconnect, connection.address});
    connection.address = found;
    connection.wait = Wait::nothing;
    connection.due = TimePoint::max();
    actions.push_back({Kind::connect, found});
  }
  return actions;
}

std::vector<ConnectorAction> Connector::on_time(TimePoint now) {
  std::vector<ConnectorAction> actions;
  for (Connection& connection : connections_) {
    if (connection.due > now) continue;
    const Wait waited_for = connection.wait;
    connection.wait = Wait::nothing;
    connection.due = TimePoint::max();
    if (waited_for == Wait::look_up) {
      actions.push_back({Kind::resolve, connection.wanted.host()});
    } else if (waited_for == Wait::retry_event) {
      lengthen(connection);
      connection.wait = Wait::reconnect;
      connection.due = now + connection.pause;
    } else if (waited_for == Wait::reconnect) {
      actions.push_back({Kind::log, "reconnecting " + connection.address +
                                        ", which was closed after a protocol error"});
      actions.push_back({Kind::disconnect, connection.address});
      actions.push_back({Kind::connect, connection.address});
    }
  }
  return actions;
}

TimePoint Connector::next_deadline() const noexcept {
  TimePoint next = TimePoint::max();
  for (const Connection& connection : connections_) next = std::min(next, connection.due);
  return next;
}

}  // namespace busbar

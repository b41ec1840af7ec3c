#include "busbar/core/internal/connector.hpp"

#include <algorithm>

#include <busbar/core/error.hpp>
#include <busbar/core/internal/monitor.hpp>

namespace busbar::detail {

using namespace std::chrono_literals;
using Kind = ConnectorAction::Kind;

namespace {

// libzmq announces its own retry in the same breath as the disconnection.
constexpr Duration retry_event_grace = 200ms;
constexpr Duration shortest_pause = 200ms;
constexpr Duration longest_pause = 10s;

Duration longer(Duration pause) { return std::clamp(pause * 2, shortest_pause, longest_pause); }

}  // namespace

Connector::Connector(std::vector<Endpoint> endpoints) {
  for (Endpoint& endpoint : endpoints) {
    const auto same = [&](const Connection& c) { return c.wanted == endpoint; };
    if (std::none_of(connections_.begin(), connections_.end(), same)) {
      connections_.push_back({std::move(endpoint)});
    }
  }
}

std::vector<ConnectorAction> Connector::start(TimePoint) {
  std::vector<ConnectorAction> actions;
  for (Connection& connection : connections_) {
    const bool named = connection.wanted.has_host_name();
    if (!named) connection.address = connection.wanted.str();
    actions.push_back({named ? Kind::resolve : Kind::connect, connection.wanted.str()});
  }
  return actions;
}

void Connector::plan_repair(Connection& connection, Repair repair, TimePoint due) {
  connection.repair = repair;
  connection.repair_due = due;
}

void Connector::plan_look_up(Connection& connection, TimePoint now) {
  if (!connection.wanted.has_host_name()) return;
  connection.look_up_pause = longer(connection.look_up_pause);
  connection.look_up_due = now + connection.look_up_pause;
}

std::vector<ConnectorAction> Connector::on_event(const SocketEvent& event, TimePoint now) {
  for (Connection& connection : connections_) {
    if (connection.address != event.endpoint) continue;
    if (event.kind == SocketEvent::Kind::connected) {
      connection.connected = true;
      connection.failure.clear();
      connection.repair_pause = connection.look_up_pause = {};
      connection.look_up_due = TimePoint::max();
      plan_repair(connection, Repair::none, TimePoint::max());
    } else if (event.kind == SocketEvent::Kind::handshake_failed) {
      connection.failure = event.cause;
    } else if (event.kind == SocketEvent::Kind::disconnected) {
      connection.connected = false;
      plan_repair(connection, Repair::retry_event, now + retry_event_grace);
      plan_look_up(connection, now);
    } else if (event.kind == SocketEvent::Kind::retrying &&
               connection.repair == Repair::retry_event) {
      plan_repair(connection, Repair::none, TimePoint::max());
    }
  }
  return {};
}

std::vector<ConnectorAction> Connector::on_resolved(const Resolver::Result& result, TimePoint now) {
  const auto& [wanted, address, cause] = result;
  std::vector<ConnectorAction> actions;
  for (Connection& connection : connections_) {
    if (connection.wanted != wanted || connection.connected) continue;
    plan_look_up(connection, now);
    if (address.empty()) {
      actions.push_back({Kind::log, cause + " (retrying)"});
      continue;
    }
    const bool service = wanted.transport() == Transport::peer;
    const std::string found = service ? address : wanted.with_host(address).str();
    if (found == connection.address) continue;
    if (!connection.address.empty()) actions.push_back({Kind::disconnect, connection.address});
    connection.address = found;
    plan_repair(connection, Repair::none, TimePoint::max());
    actions.push_back({Kind::connect, found});
  }
  return actions;
}

std::vector<ConnectorAction> Connector::on_time(TimePoint now) {
  std::vector<ConnectorAction> actions;
  for (Connection& connection : connections_) {
    if (connection.look_up_due <= now) {
      connection.look_up_due = TimePoint::max();
      actions.push_back({Kind::resolve, connection.wanted.str()});
    }
    if (connection.repair_due > now) continue;
    if (connection.repair == Repair::retry_event) {
      connection.repair_pause = longer(connection.repair_pause);
      plan_repair(connection, Repair::reconnect, now + connection.repair_pause);
      continue;
    }
    plan_repair(connection, Repair::none, TimePoint::max());
    std::string why = "it was closed after a protocol error";
    if (!connection.failure.empty()) why = connection.failure;
    if (!connection.failure.empty() && connection.failure != wrong_kind)
      why += "; check our keys, the server's key and its allow list";
    actions.push_back({Kind::log, "reconnecting " + connection.address + ": " + why});
    actions.push_back({Kind::disconnect, connection.address});
    actions.push_back({Kind::connect, connection.address});
  }
  return actions;
}

TimePoint Connector::next_deadline() const noexcept {
  TimePoint next = TimePoint::max();
  for (const Connection& connection : connections_) {
    next = std::min({next, connection.repair_due, connection.look_up_due});
  }
  return next;
}

}  // namespace busbar::detail

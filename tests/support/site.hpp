/// Topologies that run in a test, and stock sockets at their sides.
#pragma once

#include "support/stock.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/core/error.hpp>
#include <busbar/devices/topology/topology.hpp>

namespace busbar::testing {

using Frames = std::vector<std::string>;

inline DeviceOptions sides(std::vector<Endpoint> frontend, std::vector<Endpoint> backend) {
  return {.frontend = {.bind = std::move(frontend)}, .backend = {.bind = std::move(backend)}};
}
inline DeviceOptions both() { return sides({any_port}, {any_port}); }
inline DeviceOptions first() { return sides({any_port}, {}); }
inline DeviceOptions last() { return sides({}, {any_port}); }
inline DeviceOptions inner() { return {}; }

/// Stock sockets, and what they are connected to.
struct Site {
  RunningTopology run(const Topology& topology) { return topology.run(context); }
  Stock at(const RunningTopology& running, std::string_view side, zmq::socket_type type) {
    return at(running.bound(side).front(), type);
  }
  Stock at(const Endpoint& endpoint, zmq::socket_type type) {
    Stock socket{stock, type};
    socket.connect(endpoint.str());
    return socket;
  }

  zmq::context_t stock;
  Context context;
};

/// Sends until a subscription or a connection that is under way has arrived.
inline Frames send_until_received(Stock& source, Stock& sink, const Frames& message) {
  sink.raw().set(zmq::sockopt::rcvtimeo, 20);
  Frames got;
  CHECK(eventually([&] {
    source.send(message);
    got = sink.receive();
    return !got.empty();
  }));
  return got;
}

inline const Ledger& ledger_of(const std::vector<Ledger>& ledgers, const std::string& name) {
  for (const Ledger& ledger : ledgers) {
    if (ledger.name == name) return ledger;
  }
  FAIL("no ledger of " << name);
  return ledgers.front();
}

inline std::uint64_t received(const RunningTopology& running, const std::string& name) {
  return ledger_of(running.ledgers(), name).frontend.received;
}

template <class Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  FAIL("nothing was refused");
  return {ErrorKind::usage, {}, {}};
}

}  // namespace busbar::testing

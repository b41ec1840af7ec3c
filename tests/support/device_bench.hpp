/// A running device between stock sockets.
#pragma once

#include "support/stock.hpp"

#include <functional>

#include <busbar/devices/device.hpp>

namespace busbar::testing {

inline DeviceOptions on_any_port() {
  return {.frontend = {.bind = {any_port}}, .backend = {.bind = {any_port}}};
}

template <class Kind>
struct DeviceBench {
  explicit DeviceBench(DeviceOptions options = on_any_port())
      : device(context, std::move(options)), running(device) {}

  Stock front(zmq::socket_type type) { return at(type, device.frontend().front()); }
  Stock back(zmq::socket_type type) { return at(type, device.backend().front()); }
  Stock at(zmq::socket_type type, const Endpoint& endpoint) {
    Stock socket(stock, type);
    socket.connect(endpoint.str());
    return socket;
  }
  bool ledger_shows(const std::function<bool(const Ledger&)>& condition) {
    return eventually([&] { return condition(device.ledger()); });
  }

  zmq::context_t stock;
  Context context;
  Kind device;
  Runner running;
};

}  // namespace busbar::testing

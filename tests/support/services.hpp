/// A broker that runs in a test.
#pragma once

#include "support/stock.hpp"

#include <string>

#include <doctest/doctest.h>

#include <busbar/devices/device.hpp>
#include <busbar/patterns/service_client.hpp>
#include <busbar/patterns/service_worker.hpp>

namespace busbar::testing {

struct BrokerSite {
  explicit BrokerSite(WorkerOptions rules = {})
      : services(context, {.frontend = {.bind = {any_port}}, .workers = rules}),
        running(services) {}
  Endpoint broker() const { return services.frontend().front(); }
  void wait_for(const std::string& service) {
    ServiceClient asking{context, broker()};
    REQUIRE(eventually([&] { return asking.is_served(service, soon) == true; }));
  }

  Context context;
  zmq::context_t zmq;
  Services services;
  Runner running;
};

inline std::string echo(ServiceRequest& request) { return std::string{request.payload()}; }

struct Account {
  int number = 0;
  MSGPACK_DEFINE(number)
};

}  // namespace busbar::testing

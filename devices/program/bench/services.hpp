/// Requests to services by name: `services` beside the guide's broker with the same client and
/// workers, and nats-server with its own.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace busbar::program::bench {

enum class ServiceBroker {
  services,  ///< The device.
  prefetch,  ///< The same, where a worker has eight requests at a time.
  mdbroker,  ///< The guide's broker in C++, written anew.
  nats,      ///< nats-server; workers in a queue group, answers to the client's inbox.
};
std::string_view name_of(ServiceBroker broker) noexcept;
/// Empty where it can be measured; else what is missing.
std::string why_not(ServiceBroker broker);

/// How many of what there is.
struct ServiceLoad {
  std::size_t in_flight = 0;  ///< Requests of the one client that are not answered.
  std::size_t workers = 0;    ///< Each with a connection of its own, all in one process.
};

struct ServiceFigures {
  double requests_per_second = 0;  ///< That were answered.
  double cpu_us_per_request = 0;   ///< Of the broker's process, with its I/O thread; nats: 0.
};
ServiceFigures measure_services(ServiceBroker broker, std::size_t size, const ServiceLoad& load,
                                std::chrono::milliseconds window);

}  // namespace busbar::program::bench

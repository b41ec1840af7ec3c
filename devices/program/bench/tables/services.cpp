#include "program/bench/services.hpp"

#include "program/bench/tables/tables.hpp"

namespace busbar::program::bench {
namespace {

std::vector<ServiceBroker> brokers(const Options& options) {
  return with_others(options,
                     {ServiceBroker::services, ServiceBroker::prefetch, ServiceBroker::mdbroker},
                     {ServiceBroker::nats});
}

void services(Run& run) {
  const Options& options = run.options();
  const ServiceLoad load{.in_flight = options.in_flight, .workers = options.workers};
  Table table{
      {"broker", "bytes", "requests/s", "of mdbroker", "of nats", "CPU us/request", "of mdbroker"}};
  for (const std::size_t size : options.sizes) {
    const auto all = alternate(run, brokers(options), [&](ServiceBroker broker) {
      return measure_services(broker, size, load, options.window);
    });
    const auto rates = pick(all, &ServiceFigures::requests_per_second);
    auto cpu = pick(all, &ServiceFigures::cpu_us_per_request);
    cpu.erase(ServiceBroker::nats);  // whose server is not our process
    for (const ServiceBroker broker : brokers(options)) {
      const Spread rate = spread(rates, broker);
      const Spread of_guide = ratio(rates, broker, ServiceBroker::mdbroker);
      const Spread of_nats = ratio(rates, broker, ServiceBroker::nats);
      const Spread spent = spread(cpu, broker);
      const Spread of_guides = ratio(cpu, broker, ServiceBroker::mdbroker);
      table.add({std::string{name_of(broker)}, std::to_string(size), rate.str("%.0f"),
                 of_guide.str(), of_nats.str(), spent.str("%.1f"), of_guides.str()});
      run.report("services")
          .push_back({{"broker", name_of(broker)},
                      {"bytes", size},
                      {"in_flight", load.in_flight},
                      {"workers", load.workers},
                      {"requests_per_second", rate.json()},
                      {"ratio", {{"mdbroker", of_guide.json()}, {"nats", of_nats.json()}}},
                      {"cpu_us_per_request", spent.json()},
                      {"cpu_ratio", of_guides.json()}});
    }
  }
  run.show("Services by name: a client with " + std::to_string(options.in_flight) +
               " requests in flight, " + std::to_string(options.workers) + " workers",
           table);
}

}  // namespace

Measurement services_table() {
  return {"services",
          [](const Options& options) {
            return options.pairs * options.sizes.size() * brokers(options).size();
          },
          services};
}

}  // namespace busbar::program::bench

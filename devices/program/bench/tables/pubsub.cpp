#include "program/bench/pubsub.hpp"

#include "program/bench/tables/tables.hpp"

#include <iostream>

namespace busbar::program::bench {
namespace {

std::vector<Carrier> carriers(const Options& options) {
  return with_others(options, {Carrier::batched, Carrier::unbatched},
                     {Carrier::zmq_proxy, Carrier::nats, Carrier::mosquitto});
}

void say_what_is_missing(const Options& options) {
  for (const Carrier carrier : {Carrier::nats, Carrier::mosquitto}) {
    const std::string reason = why_not(carrier);
    if (names(options.against, name_of(carrier)) && !reason.empty())
      std::cerr << "bench: no figures of " << name_of(carrier) << ": " << reason << '\n';
  }
}

void pubsub(Run& run) {
  const Options& options = run.options();
  say_what_is_missing(options);
  Table table{
      {"carrier", "subscribers", "bytes", "messages/s", "of zmq_proxy", "of nats", "of mosquitto"}};
  for (const std::size_t size : options.sizes) {
    const auto rates = alternate(run, carriers(options), [&](Carrier carrier) {
      return measure_pubsub(carrier, size, options.subscribers, options.window);
    });
    for (const auto& [carrier, series] : rates) {
      const Spread rate{series};
      const Spread of_proxy = ratio(rates, carrier, Carrier::zmq_proxy);
      const Spread of_nats = ratio(rates, carrier, Carrier::nats);
      const Spread of_mosquitto = ratio(rates, carrier, Carrier::mosquitto);
      table.add({std::string{name_of(carrier)}, std::to_string(options.subscribers),
                 std::to_string(size), rate.str("%.0f"), of_proxy.str(), of_nats.str(),
                 of_mosquitto.str()});
      run.report("pubsub").push_back({{"carrier", name_of(carrier)},
                                      {"subscribers", options.subscribers},
                                      {"bytes", size},
                                      {"messages_per_second", rate.json()},
                                      {"ratio",
                                       {{"zmq_proxy", of_proxy.json()},
                                        {"nats", of_nats.json()},
                                        {"mosquitto", of_mosquitto.json()}}}});
    }
  }
  run.show("Publish/subscribe through a process in the middle, nothing dropped", table);
}

}  // namespace

Measurement pubsub_table() {
  return {"pubsub",
          [](const Options& options) {
            return options.pairs * options.sizes.size() * carriers(options).size();
          },
          pubsub};
}

}  // namespace busbar::program::bench

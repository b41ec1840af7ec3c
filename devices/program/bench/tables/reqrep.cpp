#include "program/bench/reqrep.hpp"

#include "program/bench/tables/tables.hpp"

namespace busbar::program::bench {
namespace {

struct Figures {
  double round_trips_per_second = 0;
  double p50_us = 0;  ///< One at a time.
  double p99_us = 0;
};

Figures measure(Desk desk, std::size_t size, const Options& options) {
  Figures figures{.round_trips_per_second =
                      measure_round_trips(desk, size, options.in_flight, options.window)};
  // Clients that gather what they send: one request at a time is no matter of theirs.
  if (desk == Desk::nats || desk == Desk::batched) return figures;
  const Latency latency = measure_round_trip(desk, size, options.rounds);
  figures.p50_us = latency.p50_us;
  figures.p99_us = latency.p99_us;
  return figures;
}

std::vector<Desk> desks(const Options& options) {
  return with_others(options, {Desk::busbar, Desk::batched, Desk::stock},
                     {Desk::zmq_proxy, Desk::nats});
}

/// One of ours, and its ratios to the others.
struct Against {
  Spread own, proxy, nats;
  Against(const std::map<Desk, Series>& series, Desk ours)
      : own(spread(series, ours)),
        proxy(ratio(series, ours, Desk::zmq_proxy)),
        nats(ratio(series, ours, Desk::nats)) {}
  nlohmann::json json() const {
    return {{"median", own.json()}, {"of_zmq_proxy", proxy.json()}, {"of_nats", nats.json()}};
  }
};

void reqrep(Run& run) {
  const Options& options = run.options();
  Table table{{"requester", "bytes", "round trips/s", "of zmq_proxy", "of nats",
               "one at a time: p50 us", "of zmq_proxy", "p99 us", "of zmq_proxy"}};
  for (const std::size_t size : options.sizes) {
    const auto all = alternate(
        run, desks(options), [&](Desk desk) { return measure(desk, size, options); }, 2);
    for (const Desk ours : {Desk::busbar, Desk::batched, Desk::stock}) {
      const Against rate{pick(all, &Figures::round_trips_per_second), ours};
      auto p50s = pick(all, &Figures::p50_us);
      auto p99s = pick(all, &Figures::p99_us);
      if (ours == Desk::batched) p50s.clear(), p99s.clear();
      const Against p50{p50s, ours};
      const Against p99{p99s, ours};
      table.add({std::string{name_of(ours)}, std::to_string(size), rate.own.str("%.0f"),
                 rate.proxy.str(), rate.nats.str(), p50.own.str("%.0f"), p50.proxy.str(),
                 p99.own.str("%.0f"), p99.proxy.str()});
      run.report("reqrep").push_back({{"requester", name_of(ours)},
                                      {"bytes", size},
                                      {"in_flight", options.in_flight},
                                      {"round_trips_per_second", rate.json()},
                                      {"p50_us", p50.json()},
                                      {"p99_us", p99.json()}});
    }
  }
  run.show("Requests through a queue, " + std::to_string(options.in_flight) +
               " in flight and one at a time, beside DEALER and REP",
           table);
}

}  // namespace

Measurement reqrep_table() {
  return {"reqrep",
          [](const Options& options) {
            return 2 * options.pairs * options.sizes.size() * desks(options).size();
          },
          reqrep};
}

}  // namespace busbar::program::bench

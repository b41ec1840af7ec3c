#include "program/bench/pushpull.hpp"

#include "program/bench/tables/tables.hpp"

namespace busbar::program::bench {
namespace {

void unequal_workers(Run& run) {
  // The fast one does one in a millisecond; of many, the last ones count for little.
  const int jobs = 2 * static_cast<int>(run.options().window.count()) + 200;
  Series by_credit;
  Series round_robin;
  double ideal = 0;
  for (std::size_t pair = 0; pair < run.options().pairs; ++pair) {
    const UnequalWorkers measured = measure_unequal_workers_apart(jobs);
    by_credit.push_back(measured.by_credit);
    round_robin.push_back(measured.round_robin);
    ideal = measured.ideal.count();
    run.advance();
  }
  Table table{{"jobs", "ideal ms", "by credit / ideal", "round-robin / ideal"}};
  table.add({std::to_string(jobs), Spread{{ideal}}.str("%.0f"), Spread{by_credit}.str(),
             Spread{round_robin}.str()});
  run.report("unequal_workers") = {{"jobs", jobs},
                                   {"ideal_ms", ideal},
                                   {"by_credit", Spread{by_credit}.json()},
                                   {"round_robin", Spread{round_robin}.json()}};
  run.show("Two workers of unequal speed (1 : 10): time taken, beside both busy to the end", table);
}

void pushpull(Run& run) {
  const Options& options = run.options();
  const std::vector carriers{WorkCarrier::batched, WorkCarrier::unacknowledged,
                             WorkCarrier::unbatched, WorkCarrier::stock};
  Table table{{"carrier", "bytes", "messages/s", "of PUSH/PULL"}};
  for (const std::size_t size : options.sizes) {
    const auto rates = alternate(run, carriers, [&](WorkCarrier carrier) {
      return measure_pushpull(carrier, size, options.window);
    });
    for (const WorkCarrier carrier : carriers) {
      const Spread rate = spread(rates, carrier);
      const Spread of_stock = ratio(rates, carrier, WorkCarrier::stock);
      table.add(
          {std::string{name_of(carrier)}, std::to_string(size), rate.str("%.0f"), of_stock.str()});
      run.report("pushpull")
          .push_back({{"carrier", name_of(carrier)},
                      {"bytes", size},
                      {"messages_per_second", rate.json()},
                      {"ratio", of_stock.json()}});
    }
  }
  run.show("Work, direct: through Pusher and Puller, beside PUSH and PULL", table);
  unequal_workers(run);
}

}  // namespace

Measurement pushpull_table() {
  return {"pushpull",
          [](const Options& options) { return options.pairs * (4 * options.sizes.size() + 1); },
          pushpull};
}

}  // namespace busbar::program::bench

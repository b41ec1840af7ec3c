#include "program/bench/bench.hpp"

#include "program/bench/tables/tables.hpp"
#include "program/command.hpp"

#include <array>

namespace busbar::program::bench {

int run(const Options& options) {
  const std::array all{throughput_table(), latency_table(), idle_table(),
                       pubsub_table(),     lone_table(),    pushpull_table(),
                       services_table(),   peers_table(),   reqrep_table()};
  std::vector<Measurement> chosen;
  std::size_t trials = 0;
  for (const Measurement& one : all) {
    if (!names(options.what, one.name) || (one.by_name_only && options.what.empty())) continue;
    chosen.push_back(one);
    trials += one.trials(options);
  }
  Run run{options, trials};
  for (const Measurement& one : chosen) {
    run.begin(one.name, one.trials(options));
    one.measure(run);
  }
  run.end();
  return exit_ok;
}

}  // namespace busbar::program::bench

#include "program/bench/pubsub.hpp"
#include "program/bench/tables/tables.hpp"

namespace busbar::program::bench {
namespace {

enum class Ends { busbar, stock };

void lone_message(Run& run) {
  constexpr std::size_t size = 64;
  const auto all = alternate(run, std::vector{Ends::busbar, Ends::stock}, [&](Ends ends) {
    return measure_lone_message(ends == Ends::stock, size, run.options().rounds);
  });
  const auto p50 = pick(all, &OneWay::p50_us);
  const auto p99 = pick(all, &OneWay::p99_us);
  const Spread middle = spread(p50, Ends::busbar);
  const Spread tail = spread(p99, Ends::busbar);
  const Spread middle_ratio = ratio(p50, Ends::busbar, Ends::stock);
  const Spread tail_ratio = ratio(p99, Ends::busbar, Ends::stock);
  Table table{{"bytes", "p50 us", "of PUB/SUB", "p99 us", "of PUB/SUB"}};
  table.add({std::to_string(size), middle.str("%.0f"), middle_ratio.str(), tail.str("%.0f"),
             tail_ratio.str()});
  run.report("lone_message") = {{"bytes", size},
                                {"p50_us", middle.json()},
                                {"p50_ratio", middle_ratio.json()},
                                {"p99_us", tail.json()},
                                {"p99_ratio", tail_ratio.json()}};
  run.show("A lone message, direct, batching on", table);
}

}  // namespace

Measurement lone_table() {
  return {"lone", [](const Options& options) { return 2 * options.pairs; }, lone_message};
}

}  // namespace busbar::program::bench

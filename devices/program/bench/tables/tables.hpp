/// What `busbar bench` measures: a table, or a part of the report, for each.
#pragma once

#include "program/bench/run.hpp"

#include <cstddef>
#include <string_view>

namespace busbar::program::bench {

struct Measurement {
  std::string_view name;
  std::size_t (*trials)(const Options& options);  ///< How many steps of the progress it makes.
  void (*measure)(Run& run);
  bool by_name_only = false;  ///< It takes long.
};

Measurement throughput_table();
Measurement latency_table();
Measurement idle_table();
Measurement pubsub_table();
Measurement lone_table();
Measurement pushpull_table();
Measurement services_table();
Measurement peers_table();
Measurement reqrep_table();

}  // namespace busbar::program::bench

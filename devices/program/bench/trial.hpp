/// One measurement of one subject: start the processes, watch a window of time, kill them.
#pragma once

#include "program/bench/roles.hpp"

#include <chrono>
#include <cstddef>

namespace busbar::program::bench {

struct Throughput {
  double messages_per_second = 0;
  double cpu_seconds_per_million = 0;  ///< of the process between the ends; 0 for direct
};
Throughput measure_throughput(DeviceKind kind, Subject subject, std::size_t size,
                              std::chrono::milliseconds window);

struct Latency {
  double p50_us = 0;
  double p99_us = 0;
};
/// Round trips of REQ and REP, through a queue proxy unless direct.
Latency measure_latency(Subject subject, std::size_t size, std::size_t rounds);

enum class Idling {
  idle,     ///< peers are connected, nothing is sent
  paused,   ///< a sender floods a paused device; zmq_proxy cannot pause and is flooded openly
  blocked,  ///< a sender floods, and the receiver does not read
};
/// Percent of a core.
double measure_idle(DeviceKind kind, Subject subject, Idling idling,
                    std::chrono::milliseconds window);

}  // namespace busbar::program::bench

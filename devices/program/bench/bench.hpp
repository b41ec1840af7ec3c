/// What `busbar bench` measures, and how often.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace busbar::program::bench {

/// Empty lists mean all.
struct Options {
  std::vector<std::string> what;     ///< `throughput`, `latency`, `idle`, `pubsub`, `lone`,
                                     ///< `pushpull`, `services`, `reqrep`; only by name: `peers`
  std::vector<std::string> devices;  ///< `forwarder`, `streamer`, `queue`
  std::vector<std::string> against{"direct", "zmq_proxy"};
  std::vector<std::size_t> sizes{16, 256, 4096};  ///< bytes
  std::size_t pairs = 5;
  std::size_t subscribers = 1;  ///< of pubsub
  std::size_t workers = 16;     ///< of services
  std::size_t in_flight = 100;  ///< requests of the client of services and reqrep
  std::size_t peers = 200;
  std::size_t rounds = 2000;              ///< round trips in a latency run
  std::chrono::milliseconds window{400};  ///< how long a run is watched
  bool json = false;
  bool progress = false;
};

/// Prints a table for each thing measured, or all as one line of JSON. Answers the exit code.
int run(const Options& options);

}  // namespace busbar::program::bench

#include "program/bench/peers.hpp"

#include "program/bench/tables/tables.hpp"

namespace busbar::program::bench {
namespace {

void peers(Run& run) {
  const std::size_t count = run.options().peers;
  Table table{{"peers", "processes", "all know all, s", "one more, s", "killed: told, s",
               "of expiry", "cores idle"}};
  for (const std::size_t processes : {std::size_t{1}, std::size_t{4}}) {
    const auto all = alternate(run, std::vector{processes},
                               [&](std::size_t) { return measure_peers(count, processes); });
    const auto figures = [&](double PeersMeasured::*member) {
      return pick(all, member)[processes];
    };
    const Spread all_known{figures(&PeersMeasured::all_known_s)};
    const Spread one_more{figures(&PeersMeasured::one_more_s)};
    const Spread killed{figures(&PeersMeasured::killed_s)};
    const Spread cores{figures(&PeersMeasured::cores)};
    Series parts = figures(&PeersMeasured::killed_s);
    for (double& part : parts) part /= std::chrono::duration<double>{peers_expire_after}.count();
    const Spread of_expiry{parts};
    table.add({std::to_string(count), std::to_string(processes), all_known.str(), one_more.str(),
               killed.str(), of_expiry.str(), cores.str()});
    run.report("peers").push_back({{"peers", count},
                                   {"processes", processes},
                                   {"all_known_s", all_known.json()},
                                   {"one_more_s", one_more.json()},
                                   {"killed_s", killed.json()},
                                   {"killed_of_expiry", of_expiry.json()},
                                   {"cores", cores.json()}});
  }
  run.show("Peers on loopback: from the last one's start, and from a SIGKILL", table);
}

}  // namespace

Measurement peers_table() {
  return {"peers", [](const Options& options) { return 2 * options.pairs; }, peers, true};
}

}  // namespace busbar::program::bench

/// Many peers on loopback: how soon they all know each other, and that one was killed.
#pragma once

#include <chrono>
#include <cstddef>

namespace busbar::program::bench {

struct PeersMeasured {
  double all_known_s = 0;  ///< From the last one's start.
  double one_more_s = 0;  ///< One more, in a process of its own: until all know it, from its start.
  double killed_s = 0;    ///< From its SIGKILL until all have told.
  double cores = 0;       ///< CPU time of all in a second, when nothing happens.
};

inline constexpr std::chrono::milliseconds peers_expire_after{15000};

/// `count` peers, spread over `processes`.
PeersMeasured measure_peers(std::size_t count, std::size_t processes);

}  // namespace busbar::program::bench

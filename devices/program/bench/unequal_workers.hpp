/// How near to the ideal schedule work gets to workers of unequal speed.
#pragma once

#include <chrono>

namespace busbar::program::bench {

struct UnequalWorkers {
  std::chrono::duration<double, std::milli> ideal;  ///< Both busy until the end.
  double by_credit = 0;                             ///< Time taken, as a multiple of the ideal.
  double round_robin = 0;                           ///< The same through stock PUSH and PULL.
};
/// `jobs` messages over tcp to two workers, of which one needs 1 ms and the other 10 ms for each.
UnequalWorkers measure_unequal_workers(int jobs);

}  // namespace busbar::program::bench

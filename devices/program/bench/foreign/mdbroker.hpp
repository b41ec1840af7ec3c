/// A Majordomo broker (MDP 0.1) as the ZeroMQ guide publishes it, to stand beside `services`.
#pragma once

#include "program/bench/process.hpp"

namespace busbar::program::bench {

/// Runs until it is killed.
[[noreturn]] void be_guide_broker(const Announce& announce);

}  // namespace busbar::program::bench

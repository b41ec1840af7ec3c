/// Acknowledged work straight from a Pusher to a Puller, beside stock PUSH and PULL.
#pragma once

#include "program/bench/unequal_workers.hpp"

#include <chrono>
#include <cstddef>
#include <string_view>

namespace busbar::program::bench {

enum class WorkCarrier {
  batched,         ///< Pusher and Puller, acknowledged.
  unacknowledged,  ///< The same without acknowledgement.
  unbatched,       ///< Acknowledged, with batch_bytes 0.
  stock,           ///< PUSH and PULL.
};
std::string_view name_of(WorkCarrier carrier) noexcept;

/// Messages a second from one process to another, direct over tcp.
double measure_pushpull(WorkCarrier carrier, std::size_t size, std::chrono::milliseconds window);

/// measure_unequal_workers in a process of its own: a context would not survive the next fork.
UnequalWorkers measure_unequal_workers_apart(int jobs);

}  // namespace busbar::program::bench

/// What a device that knows its workers goes by: WorkerOptions with their defaults.
#pragma once

#include <busbar/devices/device.hpp>

namespace busbar::detail {

struct WorkerRules {
  std::chrono::milliseconds heartbeat{1000};
  std::chrono::milliseconds expiry{10'000};
  std::size_t hold_messages = 10'000;
  std::size_t hold_bytes = 64u << 20;
  std::chrono::milliseconds hold_age{60'000};
  std::uint32_t prefetch = 1;
};

WorkerRules rules_of(const WorkerOptions& given);

}  // namespace busbar::detail

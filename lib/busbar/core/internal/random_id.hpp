/// Ids that nobody hands out.
#pragma once

#include <cstdint>
#include <random>

namespace busbar::detail {

/// 64 bits from the system: among a million of them, two are the same with a chance of 1 in 37
/// million. Never 0.
inline std::uint64_t random_id() {
  std::random_device device;
  const std::uint64_t high = device();
  const std::uint64_t id = (high << 32) | device();
  return id == 0 ? 1 : id;
}

}  // namespace busbar::detail

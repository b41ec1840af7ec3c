/// Options of a device that do not fit its kind, or one another.
#pragma once

#include <string>
#include <vector>

#include <busbar/devices/device.hpp>

namespace busbar::detail {

/// Services have one socket, the frontend, for clients and workers.
bool has_backend(DeviceKind kind) noexcept;
/// Whether it gives requests to workers that say when they are free.
bool knows_workers(DeviceKind kind, const DeviceOptions& options) noexcept;

struct Misfit {
  std::string key;  ///< Where a file says so.
  std::string problem;
  std::string remedy;
  std::string typed = {};  ///< The remedy's options on the command line, where a key is a number.
};
/// All of them; endpoints that are missing or taken, and keys and endpoints, are not looked at.
std::vector<Misfit> misfits_of(DeviceKind kind, const DeviceOptions& options);

}  // namespace busbar::detail

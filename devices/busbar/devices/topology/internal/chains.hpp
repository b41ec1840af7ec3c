/// What a topology becomes in one process: chains of devices with all their endpoints.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <busbar/devices/topology/topology.hpp>

namespace busbar::detail {

/// Devices that share a thread, and need no socket between them.
struct Chain {
  DeviceKind kind = DeviceKind::forwarder;
  std::vector<DeviceOptions> devices = {};
  std::size_t level = 0;  ///< What is upstream has a smaller one.
  /// All that makes it what it is; keys included, so never to be shown.
  std::string specification = {};

  std::string name() const;
  const SideOptions& frontend() const { return devices.front().frontend; }
  const SideOptions& backend() const { return devices.back().backend; }
  /// All that it binds, control endpoints and taps included.
  std::vector<Endpoint> binds() const;
  std::vector<Endpoint> connects() const;
};

/// The topology must have passed its check. `unique` tells this topology's inproc names from those
/// of others in the process; the same one for a reload gives the same names.
std::vector<Chain> chains_of(const Topology& topology, const std::string& unique);
/// Whether the endpoint is one that chains_of gave to a link.
bool is_link_endpoint(const Endpoint& endpoint);

}  // namespace busbar::detail

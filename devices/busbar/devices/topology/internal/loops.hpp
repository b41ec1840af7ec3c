/// Devices whose messages come back to them.
#pragma once

#include <vector>

#include <busbar/devices/topology/topology.hpp>

namespace busbar::detail {

/// Adds a finding for each loop over links and endpoints that a search from the first device meets.
void find_loops(const Topology& topology, std::vector<Finding>& findings);

}  // namespace busbar::detail

/// Endpoints inside a process at which nobody can be.
#pragma once

#include <vector>

#include <busbar/devices/topology/topology.hpp>

namespace busbar::detail {

/// Notes the inproc endpoints of a device at which no other device of the topology is.
void find_lone_inproc(const Topology& topology, std::vector<Finding>& findings);

}  // namespace busbar::detail

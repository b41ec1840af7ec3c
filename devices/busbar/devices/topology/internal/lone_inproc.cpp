#include "busbar/devices/topology/internal/lone_inproc.hpp"

#include <algorithm>

#include <busbar/devices/topology/internal/findings.hpp>
#include <busbar/devices/topology/internal/wiring.hpp>

namespace busbar::detail {

namespace {

bool meets(const Use& use, const std::vector<Use>& others) {
  return std::any_of(others.begin(), others.end(), [&](const Use& other) {
    return other.device != use.device && other.endpoint == use.endpoint;
  });
}

bool is_of_link(const Use& use, const Topology& topology) {
  const auto& links = topology.links();
  return std::any_of(links.begin(), links.end(), [&](const TopologyLink& link) {
    return link.over == use.endpoint &&
           find_device(topology, split_end(link.to).first) == use.device;
  });
}

}  // namespace

void find_lone_inproc(const Topology& topology, std::vector<Finding>& findings) {
  const std::vector<Use> binds = binds_of(topology);
  const std::vector<Use> connects = connects_of(topology);
  const auto look = [&](const std::vector<Use>& uses, const std::vector<Use>& others) {
    for (const Use& use : uses) {
      if (use.endpoint.transport() != Transport::inproc) continue;
      if (meets(use, others) || is_of_link(use, topology)) continue;
      findings.push_back({use.place,
                          use.endpoint.str() +
                              ": inproc does not leave this process, and no other device is there",
                          "use ipc:// or tcp://"});
    }
  };
  look(binds, connects);
  look(connects, binds);
}

}  // namespace busbar::detail

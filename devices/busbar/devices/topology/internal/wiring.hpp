/// Who is joined to whom in a topology, by links and by endpoints.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <busbar/devices/topology/topology.hpp>

namespace busbar::detail {

/// One endpoint that is bound or connected somewhere in the topology.
struct Use {
  Endpoint endpoint;
  std::size_t device = 0;
  std::string key = {};  ///< `frontend.bind`, `control`, …
  bool is_side = true;   ///< Of the frontend or the backend, not of control or tap.
  Place place = {};
};

/// What messages flow along: `from` one device's backend `to` another's frontend.
struct Edge {
  std::size_t from = 0;
  std::size_t to = 0;
  Place place = {};
};

/// Where a device's key stands; of the device itself where the key has no line of its own.
Place place_of(const TopologyDevice& device, const std::string& key);
std::optional<std::size_t> find_device(const Topology& topology, std::string_view name);

/// Endpoints of one address: equal, or tcp with one port, of which one has `*` as its host.
bool same_address(const Endpoint& a, const Endpoint& b);
/// Whether who connects to `connect` reaches what is bound at `bind` on this machine.
bool reaches(const Endpoint& connect, const Endpoint& bind);

/// All that is bound, control, tap and the links' `over` included.
std::vector<Use> binds_of(const Topology& topology);
/// What the sides connect to; links are left out.
std::vector<Use> connects_of(const Topology& topology);
/// The uses by what same_address and reaches compare first; chosen addresses are left out.
std::map<std::string, std::vector<Use>> by_address(std::vector<Use> uses);
std::string address_key(const Endpoint& endpoint);

/// Links whose ends exist, and endpoints that a backend and a frontend share.
std::vector<Edge> edges_of(const Topology& topology);
/// Each device's distance from the farthest device upstream of it; without loops, edges lead up.
std::vector<std::size_t> levels_of(const Topology& topology);

}  // namespace busbar::detail

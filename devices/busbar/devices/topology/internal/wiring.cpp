#include <algorithm>
#include <filesystem>

#include <busbar/devices/topology/internal/findings.hpp>
#include <busbar/devices/topology/internal/wiring.hpp>

namespace busbar::detail {

namespace {

std::string_view plain_host(const Endpoint& endpoint) {
  return endpoint.host() == "localhost" ? std::string_view{"127.0.0.1"} : endpoint.host();
}

bool any_host(const Endpoint& endpoint) {
  return endpoint.host() == "*" || endpoint.host() == "0.0.0.0" || endpoint.host() == "::";
}

/// `ipc://a` and `ipc://./a` are one path. As it is written: links in the file system are not
/// followed, and an abstract name (`@a`) is no path.
std::string plain_path(const Endpoint& endpoint) {
  const std::string& path = endpoint.path();
  if (endpoint.transport() != Transport::ipc || path.starts_with('@') || path == "*") return path;
  std::error_code failed;
  const std::filesystem::path absolute = std::filesystem::absolute(path, failed);
  return failed ? path : absolute.lexically_normal().string();
}

void add_uses(std::vector<Use>& uses, const Topology& topology, std::size_t device,
              const std::string& key, const std::vector<Endpoint>& endpoints) {
  const Place place = place_of(topology.devices()[device], key);
  for (const Endpoint& endpoint : endpoints) uses.push_back({endpoint, device, key, true, place});
}

}  // namespace

Place place_of(const TopologyDevice& device, const std::string& key) {
  Place place = device.place;
  place.key = "devices." + device.name + "." + key;
  std::string_view known = key;
  while (!known.empty()) {
    if (const auto at = device.lines.find(known); at != device.lines.end()) {
      place.line = at->second;
      return place;
    }
    const std::size_t dot = known.rfind('.');
    known = known.substr(0, dot == std::string_view::npos ? 0 : dot);
  }
  return place;
}

std::optional<std::size_t> find_device(const Topology& topology, std::string_view name) {
  const auto& devices = topology.devices();
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (devices[i].name == name) return i;
  }
  return {};
}

bool same_address(const Endpoint& a, const Endpoint& b) {
  if (a.transport() != b.transport()) return false;
  if (a.transport() != Transport::tcp) return plain_path(a) == plain_path(b);
  if (a.port() != b.port()) return false;
  return any_host(a) || any_host(b) || plain_host(a) == plain_host(b);
}

bool reaches(const Endpoint& connect, const Endpoint& bind) {
  if (!same_address(connect, bind)) return false;
  return !any_host(bind) || connect.transport() != Transport::tcp || connect.is_local();
}

std::vector<Use> binds_of(const Topology& topology) {
  std::vector<Use> uses;
  for (std::size_t i = 0; i < topology.devices().size(); ++i) {
    const TopologyDevice& device = topology.devices()[i];
    add_uses(uses, topology, i, "frontend.bind", device.options.frontend.bind);
    add_uses(uses, topology, i, "backend.bind", device.options.backend.bind);
    for (const auto& [key, outlet] :
         {std::pair{"control", &device.options.control}, std::pair{"tap", &device.options.tap}}) {
      if (*outlet) uses.push_back({**outlet, i, key, false, place_of(device, key)});
    }
  }
  for (const TopologyLink& link : topology.links()) {
    const auto to = find_device(topology, split_end(link.to).first);
    if (!link.over || !to) continue;
    Use use{*link.over, *to, "frontend (" + link.place.key + ".over)", true, link.place};
    use.place.key += ".over";
    // Several links to one side may meet at one endpoint: it is bound once.
    const bool known = std::any_of(uses.begin(), uses.end(), [&](const Use& other) {
      return other.device == *to && other.key.starts_with("frontend") &&
             other.endpoint == use.endpoint;
    });
    if (!known) uses.push_back(std::move(use));
  }
  return uses;
}

std::vector<Use> connects_of(const Topology& topology) {
  std::vector<Use> uses;
  for (std::size_t i = 0; i < topology.devices().size(); ++i) {
    const DeviceOptions& options = topology.devices()[i].options;
    add_uses(uses, topology, i, "frontend.connect", options.frontend.connect);
    add_uses(uses, topology, i, "backend.connect", options.backend.connect);
  }
  return uses;
}

std::string address_key(const Endpoint& endpoint) {
  if (endpoint.transport() == Transport::inproc) return endpoint.str();
  if (endpoint.transport() == Transport::ipc) return "ipc:" + plain_path(endpoint);
  return "tcp:" + std::to_string(endpoint.port());
}

std::map<std::string, std::vector<Use>> by_address(std::vector<Use> uses) {
  std::map<std::string, std::vector<Use>> found;
  for (Use& use : uses) {
    const bool chosen = use.endpoint.transport() == Transport::tcp ? use.endpoint.port() == 0
                                                                   : use.endpoint.is_wildcard();
    if (!chosen) found[address_key(use.endpoint)].push_back(std::move(use));
  }
  return found;
}

std::vector<Edge> edges_of(const Topology& topology) {
  std::vector<Edge> edges;
  for (const TopologyLink& link : topology.links()) {
    const auto from = find_device(topology, split_end(link.from).first);
    const auto to = find_device(topology, split_end(link.to).first);
    if (from && to) edges.push_back({*from, *to, link.place});
  }
  const auto binds = by_address(binds_of(topology));
  for (const Use& connect : connects_of(topology)) {
    const auto at = binds.find(address_key(connect.endpoint));
    if (at == binds.end()) continue;
    const bool up = connect.key.starts_with("frontend");
    for (const Use& bind : at->second) {
      if (!bind.is_side || !reaches(connect.endpoint, bind.endpoint)) continue;
      if (bind.key.starts_with("frontend") == up) continue;
      edges.push_back(up ? Edge{bind.device, connect.device, connect.place}
                         : Edge{connect.device, bind.device, connect.place});
    }
  }
  return edges;
}

std::vector<std::size_t> levels_of(const Topology& topology) {
  const std::vector<Edge> edges = edges_of(topology);
  std::vector<std::size_t> level(topology.devices().size(), 0);
  // A path without loops is shorter than the number of devices, so this many rounds are enough.
  for (std::size_t round = 0; round < level.size(); ++round) {
    bool changed = false;
    for (const Edge& edge : edges) {
      const std::size_t next = std::min(level[edge.from] + 1, level.size());
      if (level[edge.to] >= next) continue;
      level[edge.to] = next;
      changed = true;
    }
    if (!changed) break;
  }
  return level;
}

}  // namespace busbar::detail

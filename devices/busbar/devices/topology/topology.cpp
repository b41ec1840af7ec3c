#include <algorithm>

#include <busbar/core/error.hpp>
#include <busbar/devices/topology/internal/findings.hpp>
#include <busbar/devices/topology/topology.hpp>

namespace busbar {

namespace {

TopologyDevice* find(std::vector<TopologyDevice>& devices, std::string_view name) {
  const auto at = std::find_if(devices.begin(), devices.end(),
                               [&](const TopologyDevice& device) { return device.name == name; });
  return at == devices.end() ? nullptr : &*at;
}

void add_once(std::vector<Endpoint>& endpoints, const Endpoint& endpoint) {
  if (std::find(endpoints.begin(), endpoints.end(), endpoint) == endpoints.end()) {
    endpoints.push_back(endpoint);
  }
}

/// The end of a link that leads to another process.
void cut(const TopologyLink& link, TopologyDevice* from, TopologyDevice* to) {
  const std::string operation = "cut link " + link.from + " -> " + link.to;
  if (!link.over) {
    throw Error(ErrorKind::usage, operation, "it has no endpoint for two processes to meet at",
                R"(give the link over = "ipc://PATH" or "tcp://HOST:PORT")");
  }
  if (link.over->transport() == Transport::inproc) {
    throw Error(ErrorKind::usage, operation, link.over->str() + " does not leave its process",
                R"(give the link over = "ipc://PATH" or "tcp://HOST:PORT")");
  }
  if (to != nullptr) add_once(to->options.frontend.bind, *link.over);
  if (from != nullptr) add_once(from->options.backend.connect, *link.over);
}

}  // namespace

std::string Place::str() const {
  std::string text = file;
  if (line != 0) text += (text.empty() ? "line " : ":") + std::to_string(line);
  if (!key.empty()) text += (text.empty() ? "" : ": ") + key;
  return text;
}

std::string Finding::str() const {
  const std::string where = place.str();
  std::string text = where.empty() ? problem : where + ": " + problem;
  return remedy.empty() ? text : text + " (" + remedy + ")";
}

Topology::Topology(std::string name) : name_(std::move(name)) {}

Topology& Topology::add(std::string name, DeviceKind kind, DeviceOptions options) {
  const std::string operation = "add device '" + printable(name) + "'";
  if (!detail::is_device_name(name)) {
    throw Error(ErrorKind::usage, operation, "the name is no single word",
                detail::device_name_form);
  }
  if (find(devices_, name) != nullptr) {
    throw Error(ErrorKind::usage, operation, "the name is taken", "give each device its own name");
  }
  options.name = name;
  Place place{.key = "devices." + name};
  devices_.push_back({std::move(name), kind, std::move(options), std::move(place)});
  return *this;
}

Topology& Topology::link(std::string from, std::string to, std::optional<Endpoint> over) {
  if (detail::split_end(from).second != "backend" || detail::split_end(to).second != "frontend") {
    throw Error(ErrorKind::usage, "link '" + printable(from) + "' to '" + printable(to) + "'",
                "a link leads from a backend to a frontend", R"(write "A.backend", "B.frontend")");
  }
  Place place{.key = "links[" + std::to_string(links_.size()) + "]"};
  links_.push_back({std::move(from), std::move(to), std::move(over), std::move(place)});
  return *this;
}

void Topology::check(Process process) const {
  detail::throw_findings("check topology '" + name_ + "'", findings(process));
}

Topology Topology::only(const std::vector<std::string>& names) const {
  Topology part{name_};
  for (const TopologyDevice& device : devices_) {
    if (std::find(names.begin(), names.end(), device.name) != names.end()) {
      part.devices_.push_back(device);
    }
  }
  std::vector<std::string_view> known;
  for (const TopologyDevice& device : devices_) known.emplace_back(device.name);
  for (const std::string& name : names) {
    if (find(part.devices_, name) != nullptr) continue;
    throw Error(ErrorKind::usage, "take only '" + printable(name) + "' of '" + name_ + "'",
                "no such device" + detail::suggestion(name, known),
                "its devices are " + detail::listed(known));
  }
  for (const TopologyLink& link : links_) {
    TopologyDevice* const from = find(part.devices_, detail::split_end(link.from).first);
    TopologyDevice* const to = find(part.devices_, detail::split_end(link.to).first);
    if (from != nullptr && to != nullptr) {
      part.links_.push_back(link);
    } else if (from != nullptr || to != nullptr) {
      cut(link, from, to);
    }
  }
  return part;
}

}  // namespace busbar

#include <algorithm>
#include <set>

#include <busbar/core/error.hpp>
#include <busbar/devices/internal/misfits.hpp>
#include <busbar/devices/topology/internal/findings.hpp>
#include <busbar/devices/topology/internal/lone_inproc.hpp>
#include <busbar/devices/topology/internal/loops.hpp>
#include <busbar/devices/topology/internal/wiring.hpp>

namespace busbar {

namespace {

using detail::place_of;
using detail::Use;

std::string sockets_of(DeviceKind kind, bool frontend) {
  return std::string{name_of(frontend ? frontend_type(kind) : backend_type(kind))};
}

bool is_inproc(const Endpoint& endpoint) { return endpoint.transport() == Transport::inproc; }

class Check {
 public:
  Check(const Topology& topology, Process process) : topology_(topology), process_(process) {}

  std::vector<Finding> run() {
    if (topology_.devices().empty()) {
      note({.key = "devices"}, "none", "add a device with kind, frontend and backend");
    }
    for (const TopologyDevice& device : topology_.devices()) check_device(device);
    for (const TopologyLink& link : topology_.links()) check_link(link);
    check_bound_twice();
    check_joined();
    detail::find_loops(topology_, findings_);
    if (process_ == Process::own) detail::find_lone_inproc(topology_, findings_);
    std::stable_sort(findings_.begin(), findings_.end(), [](const Finding& a, const Finding& b) {
      return a.place.line < b.place.line;
    });
    return std::move(findings_);
  }

 private:
  void note(Place place, std::string problem, std::string remedy) {
    findings_.push_back({std::move(place), std::move(problem), std::move(remedy)});
  }

  void check_device(const TopologyDevice& device) {
    const DeviceOptions& options = device.options;
    check_side(device, "frontend", options.frontend);
    if (device.kind != DeviceKind::services) check_side(device, "backend", options.backend);
    check_outlet(device, "control", options.control, options.control_security);
    check_outlet(device, "tap", options.tap, options.tap_security);
    for (const detail::Misfit& misfit : detail::misfits_of(device.kind, options)) {
      note(place_of(device, misfit.key), misfit.problem, misfit.remedy);
    }
  }

  void check_outlet(const TopologyDevice& device, const std::string& key,
                    const std::optional<Endpoint>& endpoint, const Security& security) {
    if (!endpoint) return;
    check_security(device, key, {*endpoint}, {}, security);
    // It may be written without a table, so without a key `bind`.
    check_protected(place_of(device, key), *endpoint, security);
  }

  void check_side(const TopologyDevice& device, const std::string& side,
                  const SideOptions& options) {
    if (options.queue <= 0) {
      note(place_of(device, side + ".queue"),
           options.queue == 0 ? "an unbounded queue" : "a negative queue",
           "give the messages for each peer, 1 to 1000000");
    }
    if (options.bind.empty() && options.connect.empty() && !is_linked(device.name + "." + side)) {
      note(place_of(device, side), "nothing can reach it: no endpoint and no link",
           "give it bind or connect, or link a device to it");
    }
    for (const Endpoint& endpoint : options.connect) {
      if (!endpoint.is_wildcard()) continue;
      note(place_of(device, side + ".connect"), endpoint.str() + " is no address to connect to",
           "name host and port");
    }
    std::vector<Endpoint> bind = options.bind;
    std::vector<Endpoint> connect = options.connect;
    for (const TopologyLink& link : topology_.links()) {
      if (!link.over) continue;
      if (link.to == device.name + "." + side) bind.push_back(*link.over);
      if (link.from == device.name + "." + side) connect.push_back(*link.over);
    }
    const auto has_path = [](const Endpoint& e) { return e.transport() == Transport::ipc; };
    if (options.ipc_mode != 0 && std::none_of(bind.begin(), bind.end(), has_path)) {
      note(place_of(device, side + ".ipc-mode"), "permissions, and no ipc path is bound",
           "bind an ipc:// endpoint, or remove them");
    }
    check_security(device, side, bind, connect, options.security);
    for (const Endpoint& endpoint : options.bind) {
      check_protected(place_of(device, side + ".bind"), endpoint, options.security);
    }
  }

  bool is_linked(const std::string& end) const {
    const auto& links = topology_.links();
    return std::any_of(links.begin(), links.end(), [&](const TopologyLink& link) {
      return link.from == end || link.to == end;
    });
  }

  void check_security(const TopologyDevice& device, const std::string& key,
                      std::vector<Endpoint> bind, std::vector<Endpoint> connect,
                      const Security& security) {
    // Keys are for what leaves the process.
    std::erase_if(bind, is_inproc);
    std::erase_if(connect, is_inproc);
    if (!security.keys) {
      if (security.allow) {
        note(place_of(device, key + ".allow"), "an allow-list without a key protects nothing",
             R"(add key = "FILE", which `busbar keygen` makes)");
      }
      if (!security.server_key.empty()) {
        note(place_of(device, key + ".server-key"), "a server key needs a key of our own",
             R"(add key = "FILE", which `busbar keygen` makes)");
      }
    } else if (!bind.empty() && !connect.empty()) {
      note(place_of(device, key + ".key"), "one socket cannot be CURVE server and client",
           "bind or connect, not both, or put another device between");
    } else if (!bind.empty() && !security.allow) {
      note(place_of(device, key + ".key"), "a key without an allow-list admits everyone",
           R"(add allow = "FILE", with the public keys that may connect)");
    } else if (!connect.empty() && security.server_key.empty()) {
      note(place_of(device, key + ".key"), "a key that connects without the server's public key",
           R"(add server-key = "KEY or FILE")");
    }
  }

  void check_protected(Place place, const Endpoint& endpoint, const Security& security) {
    if (endpoint.is_local() || security.keys || security.insecure) return;
    note(std::move(place), endpoint.str() + " is not on loopback and anyone may connect",
         "add key and allow, or insecure = true");
  }

  const TopologyDevice* find_end(const TopologyLink& link, const std::string& end,
                                 std::string_view key) {
    const auto [name, side] = detail::split_end(end);
    if (const auto at = detail::find_device(topology_, name)) return &topology_.devices()[*at];
    std::vector<std::string_view> known;
    for (const TopologyDevice& device : topology_.devices()) known.emplace_back(device.name);
    Place place = link.place;
    place.key.append(".").append(key);
    note(std::move(place), "no device '" + printable(name) + "'" + detail::suggestion(name, known),
         "the devices are " + detail::listed(known));
    return nullptr;
  }

  /// Whether who connects to this side must be a client or a worker, not a device.
  static bool is_for_programs(const TopologyDevice& device, bool frontend) {
    return device.kind == DeviceKind::services ||
           (!frontend && device.options.strategy == Strategy::ready);
  }

  void note_for_programs(Place place, const std::string& end) {
    note(std::move(place), end + " is for workers, or for clients, and not for devices",
         "let them connect to it");
  }

  void check_link(const TopologyLink& link) {
    const TopologyDevice* const from = find_end(link, link.from, "from");
    const TopologyDevice* const to = find_end(link, link.to, "to");
    if (from != nullptr && is_for_programs(*from, false)) note_for_programs(link.place, link.from);
    if (to != nullptr && is_for_programs(*to, true)) note_for_programs(link.place, link.to);
    if (!links_.insert({link.from, link.to}).second) {
      note(link.place, link.from + " and " + link.to + " are linked already",
           "remove one of the links: every message would come twice");
    }
    if (from != nullptr && to != nullptr && from->kind != to->kind) {
      note(link.place,
           link.from + " (" + sockets_of(from->kind, false) + ") does not fit " + link.to + " (" +
               sockets_of(to->kind, true) + ")",
           "link devices of the same kind");
    }
    if (from != nullptr && to != nullptr && from->options.credit != to->options.credit) {
      note(link.place, "only one of " + link.from + " and " + link.to + " has credit",
           "give it to both, or to none");
    }
    if (!link.over) return;
    Place place = link.place;
    place.key += ".over";
    if (link.over->is_wildcard()) {
      note(place, link.over->str() + " is no address that both ends can name",
           "name host and port");
    }
    if (to != nullptr) check_protected(place, *link.over, to->options.frontend.security);
  }

  std::string owner(const Use& use) const {
    return topology_.devices()[use.device].name + "." + use.key;
  }

  void check_bound_twice() {
    for (const auto& bucket : detail::by_address(detail::binds_of(topology_))) {
      const std::vector<Use>& uses = bucket.second;
      for (std::size_t i = 1; i < uses.size(); ++i) {
        const auto first = std::find_if(uses.begin(), uses.end(), [&](const Use& other) {
          return &other == &uses[i] || detail::same_address(other.endpoint, uses[i].endpoint);
        });
        if (&*first == &uses[i]) continue;
        note(uses[i].place,
             uses[i].endpoint.str() + " is bound already, by " + owner(*first) +
                 (first->place.line == 0 ? "" : " in line " + std::to_string(first->place.line)),
             "give each its own endpoint");
      }
    }
  }

  /// Sides that meet at an endpoint of this topology.
  void check_joined() {
    const auto binds = detail::by_address(detail::binds_of(topology_));
    for (const Use& connect : detail::connects_of(topology_)) {
      const auto at = binds.find(detail::address_key(connect.endpoint));
      if (at == binds.end()) continue;
      for (const Use& bind : at->second) {
        if (!bind.is_side || !detail::reaches(connect.endpoint, bind.endpoint)) continue;
        const DeviceKind theirs = topology_.devices()[bind.device].kind;
        const DeviceKind ours = topology_.devices()[connect.device].kind;
        const bool their_frontend = bind.key.starts_with("frontend");
        const bool our_frontend = connect.key.starts_with("frontend");
        if (is_for_programs(topology_.devices()[bind.device], their_frontend)) {
          note_for_programs(connect.place, owner(bind));
          continue;
        }
        if (theirs == ours && their_frontend != our_frontend) continue;
        note(connect.place,
             sockets_of(ours, our_frontend) + " does not fit " + owner(bind) + " (" +
                 sockets_of(theirs, their_frontend) + "), which is bound at " +
                 connect.endpoint.str(),
             "join a backend and a frontend of the same kind");
      }
    }
  }

  const Topology& topology_;
  const Process process_;
  std::vector<Finding> findings_;
  std::set<std::pair<std::string, std::string>> links_;
};

}  // namespace

std::vector<Finding> Topology::findings(Process process) const {
  return Check{*this, process}.run();
}

}  // namespace busbar

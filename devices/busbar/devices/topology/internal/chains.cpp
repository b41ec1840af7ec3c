#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>

#include <busbar/devices/internal/worker_rules.hpp>
#include <busbar/devices/topology/internal/chains.hpp>
#include <busbar/devices/topology/internal/findings.hpp>
#include <busbar/devices/topology/internal/wiring.hpp>

namespace busbar::detail {

namespace {

constexpr std::string_view link_prefix = "busbar-link/";

bool has_endpoint(const SideOptions& side) { return !side.bind.empty() || !side.connect.empty(); }

void add_once(std::vector<Endpoint>& endpoints, const Endpoint& endpoint) {
  if (std::find(endpoints.begin(), endpoints.end(), endpoint) == endpoints.end()) {
    endpoints.push_back(endpoint);
  }
}

/// Everything that a side or an outlet depends on; fields are told apart by their ends.
class Specification {
 public:
  Specification& add(std::string_view text) {
    text_.append(std::to_string(text.size())).append(":").append(text);
    return *this;
  }
  Specification& add(const std::vector<Endpoint>& endpoints) {
    add(std::to_string(endpoints.size()));
    for (const Endpoint& endpoint : endpoints) add(endpoint.str());
    return *this;
  }
  /// An allow-list from a file is reloaded in place, so what it holds does not count.
  Specification& add(const Security& security, bool from_file) {
    if (security.keys) add(security.keys->public_key).add(security.keys->secret_key);
    if (security.allow) {
      add(from_file ? "allow"
                    : std::to_string(reinterpret_cast<std::uintptr_t>(security.allow.get())));
    }
    return add(security.server_key).add(security.insecure ? "insecure" : "");
  }
  Specification& add(const SideOptions& side, bool from_file) {
    return add(side.bind)
        .add(side.connect)
        .add(std::to_string(side.queue))
        .add(std::to_string(side.ipc_mode))
        .add(side.security, from_file);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string specification_of(const TopologyDevice& device, const DeviceOptions& options) {
  const bool from_file = !device.files.empty();
  Specification result;
  result.add(device.name).add(name_of(device.kind));
  result.add(options.frontend, from_file).add(options.backend, from_file);
  result.add(options.control ? options.control->str() : "")
      .add(options.control_security, from_file);
  result.add(options.tap ? options.tap->str() : "").add(options.tap_security, from_file);
  result.add(options.overflow ? std::to_string(static_cast<int>(*options.overflow)) : "");
  result.add(options.credit ? "credit" : "").add(name_of(options.cache));
  result.add(name_of(options.strategy));
  const WorkerRules workers = rules_of(options.workers);
  for (const auto number : {workers.heartbeat.count(), workers.expiry.count(),
                            workers.hold_age.count(), options.drain_timeout.count()}) {
    result.add(std::to_string(number));
  }
  result.add(std::to_string(workers.prefetch));
  result.add(std::to_string(workers.hold_messages)).add(std::to_string(workers.hold_bytes));
  for (const Stage& stage : options.stages) result.add("stage").add(stage.text);
  for (const std::string& file : device.files) result.add("file").add(file);
  return result.take();
}

/// Joins the devices of a topology: in memory where a link is all that its two sides have, else by
/// an endpoint.
class Joiner {
 public:
  Joiner(const Topology& topology, const std::string& unique)
      : topology_(topology), unique_(unique), next_(topology.devices().size()) {
    for (const TopologyDevice& device : topology.devices()) options_.push_back(device.options);
    for (const TopologyLink& link : topology.links()) {
      ++links_at_[link.from];
      ++links_at_[link.to];
    }
    for (const TopologyLink& link : topology.links()) join(link);
  }

  std::vector<Chain> chains() const {
    std::vector<bool> inner(next_.size(), false);
    for (const auto& next : next_) {
      if (next) inner[*next] = true;
    }
    const std::vector<std::size_t> levels = levels_of(topology_);
    std::vector<Chain> chains;
    for (std::size_t i = 0; i < next_.size(); ++i) {
      if (!inner[i]) chains.push_back(chain_from(i, levels[i]));
    }
    return chains;
  }

 private:
  void join(const TopologyLink& link) {
    const std::size_t from = *find_device(topology_, split_end(link.from).first);
    const std::size_t to = *find_device(topology_, split_end(link.to).first);
    const bool alone = links_at_[link.from] == 1 && links_at_[link.to] == 1;
    if (alone &&
        fit_in_memory(topology_.devices()[from].options, topology_.devices()[to].options)) {
      next_[from] = to;
      return;
    }
    SideOptions& backend = options_[from].backend;
    SideOptions& frontend = options_[to].frontend;
    if (link.over) {
      add_once(frontend.bind, *link.over);
      add_once(backend.connect, *link.over);
      return;
    }
    // The side with several links binds, so that all meet at one endpoint.
    const bool from_binds = links_at_[link.from] > 1 && links_at_[link.to] == 1;
    const Endpoint meeting{"inproc://" + std::string{link_prefix} + unique_ + "/" +
                           (from_binds ? link.from : link.to)};
    add_once(from_binds ? backend.bind : frontend.bind, meeting);
    add_once(from_binds ? frontend.connect : backend.connect, meeting);
  }

  /// In memory there is no queue between the two, and one policy for both.
  static bool fit_in_memory(const DeviceOptions& from, const DeviceOptions& to) {
    const SideOptions usual;
    return !has_endpoint(from.backend) && !has_endpoint(to.frontend) &&
           from.backend.queue == usual.queue && to.frontend.queue == usual.queue &&
           from.overflow == to.overflow && from.credit == to.credit &&
           to.strategy == Strategy::round_robin && from.drain_timeout == to.drain_timeout;
  }

  Chain chain_from(std::size_t first, std::size_t level) const {
    Chain chain{.kind = topology_.devices()[first].kind, .level = level};
    for (std::optional<std::size_t> at = first; at; at = next_[*at]) {
      chain.devices.push_back(options_[*at]);
      chain.specification += specification_of(topology_.devices()[*at], options_[*at]) + ";";
    }
    return chain;
  }

  const Topology& topology_;
  const std::string& unique_;
  std::vector<DeviceOptions> options_;
  std::vector<std::optional<std::size_t>> next_;  ///< The device behind, where joined in memory.
  std::map<std::string, std::size_t> links_at_;   ///< By the end's name.
};

}  // namespace

std::string Chain::name() const {
  std::string text;
  for (const DeviceOptions& device : devices) text += (text.empty() ? "" : "+") + device.name;
  return text;
}

std::vector<Endpoint> Chain::binds() const {
  std::vector<Endpoint> all = frontend().bind;
  all.insert(all.end(), backend().bind.begin(), backend().bind.end());
  for (const DeviceOptions& device : devices) {
    if (device.control) all.push_back(*device.control);
    if (device.tap) all.push_back(*device.tap);
  }
  return all;
}

std::vector<Endpoint> Chain::connects() const {
  std::vector<Endpoint> all = frontend().connect;
  all.insert(all.end(), backend().connect.begin(), backend().connect.end());
  return all;
}

std::vector<Chain> chains_of(const Topology& topology, const std::string& unique) {
  return Joiner{topology, unique}.chains();
}

bool is_link_endpoint(const Endpoint& endpoint) {
  return endpoint.transport() == Transport::inproc && endpoint.path().starts_with(link_prefix);
}

}  // namespace busbar::detail

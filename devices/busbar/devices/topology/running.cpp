#include <algorithm>
#include <atomic>
#include <mutex>

#include <busbar/core/error.hpp>
#include <busbar/devices/topology/internal/findings.hpp>
#include <busbar/devices/topology/internal/reload.hpp>
#include <busbar/devices/topology/internal/running_chain.hpp>
#include <busbar/devices/topology/internal/turn.hpp>
#include <busbar/devices/topology/topology.hpp>

namespace busbar {

using std::chrono::milliseconds;

namespace {

/// Tells topologies in one process apart.
std::string next_number() {
  static std::atomic<unsigned> number{0};
  return std::to_string(++number);
}

std::vector<Endpoint> outside(std::vector<Endpoint> endpoints) {
  std::erase_if(endpoints, detail::is_link_endpoint);
  return endpoints;
}

std::vector<Endpoint> one(const std::optional<Endpoint>& endpoint) {
  return endpoint ? std::vector{*endpoint} : std::vector<Endpoint>{};
}

}  // namespace

struct RunningTopology::State {
  explicit State(const Context& home) : context(home) {}
  ~State() { stop_all(chains, milliseconds{0}); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  detail::RunningChains current() {
    const std::scoped_lock lock(guard);
    return chains;
  }
  void replace(detail::RunningChains next) {
    const std::scoped_lock lock(guard);
    chains = std::move(next);
  }
  void set_order(const Topology& topology) {
    const std::scoped_lock lock(guard);
    order.clear();
    for (const TopologyDevice& device : topology.devices()) order.push_back(device.name);
  }
  std::size_t position(const std::string& device) {
    const std::scoped_lock lock(guard);
    return static_cast<std::size_t>(std::find(order.begin(), order.end(), device) - order.begin());
  }

  Context context;
  const std::string unique = next_number();
  detail::Turn changing;            ///< Held while chains are replaced, or ended in order.
  std::atomic<bool> ending{false};  ///< From the first drain or stop on.
  std::mutex guard;                 ///< Of what follows, for a moment.
  detail::RunningChains chains = {};
  std::vector<std::string> order = {};  ///< The devices' names as in the topology.
  StopReport cut_off = {};  ///< Of chains that a reload ended during the end; while changing.
};

RunningTopology::RunningTopology(std::shared_ptr<State> state) : state_(std::move(state)) {}
RunningTopology::RunningTopology(RunningTopology&&) noexcept = default;
RunningTopology& RunningTopology::operator=(RunningTopology&&) noexcept = default;
RunningTopology::~RunningTopology() = default;

RunningTopology Topology::run(Context& context) const {
  check();
  auto state = std::make_shared<RunningTopology::State>(context);
  for (detail::Chain& chain : detail::chains_of(*this, state->unique)) {
    state->chains.push_back(
        std::make_shared<detail::RunningChain>(context, std::move(chain), milliseconds{0}));
  }
  state->set_order(*this);
  for (const auto& chain : state->chains) chain->run();
  return RunningTopology{std::move(state)};
}

std::vector<Ledger> RunningTopology::ledgers() const {
  std::vector<std::pair<std::size_t, Ledger>> found;
  for (const auto& chain : state_->current()) {
    for (Ledger& ledger : chain->relay().ledgers()) {
      const std::size_t position = state_->position(ledger.name);
      found.emplace_back(position, std::move(ledger));
    }
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Ledger> ordered;
  for (auto& entry : found) ordered.push_back(std::move(entry.second));
  return ordered;
}

std::vector<Endpoint> RunningTopology::bound(std::string_view side) const {
  const auto [name, what] = detail::split_end(side);
  for (const auto& chain : state_->current()) {
    const auto& devices = chain->chain().devices;
    for (std::size_t i = 0; i < devices.size(); ++i) {
      if (devices[i].name != name) continue;
      if (what == "control") return one(chain->relay().control(i));
      if (what == "tap") return one(chain->relay().tap(i));
      if (what == "frontend") return i == 0 ? outside(chain->relay().frontend()) : outside({});
      if (what == "backend") {
        return i + 1 == devices.size() ? outside(chain->relay().backend()) : outside({});
      }
    }
  }
  throw Error(ErrorKind::usage, "look up '" + printable(side) + "'", "no such device and side",
              "write DEVICE.frontend, .backend, .control or .tap");
}

void RunningTopology::reload(const Topology& next) {
  next.check();
  const detail::Turn::Held turn = state_->changing.take();
  const std::string operation = "reload '" + printable(next.name()) + "'";
  if (state_->ending) {
    throw Error(ErrorKind::usage, operation, "the topology was ended", "run it anew");
  }
  detail::Reload reload{state_->context, state_->current(),
                        detail::chains_of(next, state_->unique)};
  try {
    reload.run();
  } catch (...) {
    if (state_->ending) state_->cut_off = reload.ended();
    state_->replace(reload.chains());
    if (state_->ending) stop_all(state_->current(), milliseconds{0});
    throw;
  }
  state_->replace(reload.chains());
  state_->set_order(next);
  if (!state_->ending) return;
  state_->cut_off = reload.ended();
  stop_all(state_->current(), milliseconds{0});
  throw Error(ErrorKind::refused, operation, "the topology was stopped meanwhile");
}

StopReport RunningTopology::drain(milliseconds deadline) {
  const TimePoint end = std::chrono::steady_clock::now() + deadline;
  state_->ending = true;
  // A reload that is under way is waited for: it drains as well, and what it abandons counts.
  const detail::Turn::Held turn = state_->changing.take_until(end);
  const auto left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
  StopReport report = drain_all(state_->current(), std::max(left, milliseconds{0}));
  if (turn) detail::add(report, state_->cut_off);
  return report;
}

StopReport RunningTopology::stop(milliseconds deadline) {
  state_->ending = true;
  // Without the lock: a drain that is under way ends as soon as its chains do.
  return stop_all(state_->current(), deadline);
}

bool RunningTopology::wait(milliseconds timeout) {
  const TimePoint end = std::chrono::steady_clock::now() + timeout;
  while (true) {
    const detail::RunningChains chains = state_->current();
    for (const auto& chain : chains) {
      const auto left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
      if (!chain->wait(std::max(left, milliseconds{0}))) return false;
    }
    // A reload ends chains too, and puts others in their place.
    const detail::Turn::Held turn = state_->changing.take_until(end);
    if (!turn) return false;
    if (chains == state_->current()) return true;
  }
}

}  // namespace busbar

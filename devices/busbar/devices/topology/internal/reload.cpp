#include <algorithm>

#include <busbar/core/error.hpp>
#include <busbar/devices/topology/internal/reload.hpp>
#include <busbar/devices/topology/internal/wiring.hpp>

namespace busbar::detail {

using std::chrono::milliseconds;

namespace {

// How long ZeroMQ may take to free the address of a socket that is closed.
constexpr milliseconds patience{1000};

bool contains(const RunningChains& chains, const std::shared_ptr<RunningChain>& chain) {
  return std::find(chains.begin(), chains.end(), chain) != chains.end();
}

bool meets(const Endpoint& a, const Endpoint& b) {
  const bool chosen = a.transport() == Transport::tcp && a.port() == 0;
  return !chosen && same_address(a, b);
}

}  // namespace

Reload::Reload(Context& context, RunningChains old, std::vector<Chain> next)
    : context_(context),
      running_(std::move(old)),
      next_(std::move(next)),
      kept_(next_.size()),
      fresh_(next_.size()) {}

void Reload::run() {
  match();
  end_cut_off();
  for (const auto& chain : running_) {
    if (!contains(kept_, chain)) leaving_.push_back(chain);
  }
  // What needs nothing of the old chains is tried before any of them is touched.
  start_independent();
  end_old();
  try {
    start_dependent();
  } catch (...) {
    fresh_.clear();
    start_old_again();
    throw;
  }
  finish();
}

void Reload::match() {
  for (std::size_t i = 0; i < next_.size(); ++i) {
    for (const auto& chain : running_) {
      if (chain->chain().specification != next_[i].specification) continue;
      if (!chain->ended(milliseconds{0})) kept_[i] = chain;
      break;
    }
  }
}

/// An inproc connection does not come back when the side that bound it is replaced, so whoever
/// connects to such a side is replaced as well.
void Reload::end_cut_off() {
  for (bool changed = true; changed;) {
    changed = false;
    for (auto& kept : kept_) {
      if (!kept) continue;
      for (const Endpoint& endpoint : kept->chain().connects()) {
        if (endpoint.transport() != Transport::inproc) continue;
        const bool cut = std::any_of(running_.begin(), running_.end(), [&](const auto& chain) {
          const std::vector<Endpoint> binds = chain->chain().binds();
          return !contains(kept_, chain) &&
                 std::find(binds.begin(), binds.end(), endpoint) != binds.end();
        });
        if (!cut) continue;
        kept = nullptr;
        changed = true;
        break;
      }
    }
  }
}

bool Reload::waits_for_old(const Chain& chain) const {
  const std::vector<Endpoint> binds = chain.binds();
  const std::vector<Endpoint> connects = chain.connects();
  for (const auto& old : leaving_) {
    const Chain bound = old->as_bound();
    for (const Endpoint& endpoint : bound.binds()) {
      const bool taken = std::any_of(binds.begin(), binds.end(),
                                     [&](const Endpoint& e) { return meets(e, endpoint); });
      const bool joined = endpoint.transport() == Transport::inproc &&
                          std::find(connects.begin(), connects.end(), endpoint) != connects.end();
      if (taken || joined) return true;
    }
  }
  return false;
}

void Reload::start_independent() {
  for (std::size_t i = 0; i < next_.size(); ++i) {
    if (kept_[i] || waits_for_old(next_[i])) continue;
    fresh_[i] = std::make_shared<RunningChain>(context_, next_[i], milliseconds{0});
  }
}

void Reload::end_old() {
  milliseconds deadline{0};
  for (const auto& chain : leaving_) {
    for (const DeviceOptions& device : chain->chain().devices) {
      deadline = std::max(deadline, device.drain_timeout);
    }
  }
  ended_ = drain_all(leaving_, deadline);
  if (ended_.clean && ended_.abandoned == 0) return;
  context_.log(LogLevel::warning, "reload: " + ended_.str() + ", " +
                                      std::to_string(ended_.abandoned) + " messages abandoned");
}

void Reload::start_dependent() {
  for (std::size_t i = 0; i < next_.size(); ++i) {
    if (kept_[i] || fresh_[i]) continue;
    fresh_[i] = std::make_shared<RunningChain>(context_, next_[i], patience);
  }
}

/// At the addresses that they had, chosen ones too.
void Reload::start_old_again() {
  for (auto& chain : running_) {
    if (!contains(leaving_, chain)) continue;
    try {
      auto again = std::make_shared<RunningChain>(context_, chain->as_bound(), patience);
      again->run();
      chain = std::move(again);
    } catch (const Error& error) {
      context_.log(LogLevel::error, "reload failed, and the former devices do not start again: " +
                                        std::string{error.what()});
    }
  }
}

void Reload::finish() {
  running_.clear();
  for (std::size_t i = 0; i < next_.size(); ++i) {
    if (fresh_[i]) fresh_[i]->run();
    running_.push_back(kept_[i] ? kept_[i] : fresh_[i]);
  }
  for (std::size_t i = 0; i < next_.size(); ++i) {
    if (!kept_[i]) continue;
    kept_[i]->set_level(next_[i].level);
    try {
      kept_[i]->reload_allow_lists(next_[i]);
    } catch (const Error& error) {
      context_.log(LogLevel::error, error.what());
    }
  }
}

}  // namespace busbar::detail

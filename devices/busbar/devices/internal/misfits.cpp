#include "busbar/devices/internal/misfits.hpp"

#include <utility>

#include <busbar/core/error.hpp>
#include <busbar/devices/internal/worker_rules.hpp>
#include <busbar/protocol/majordomo.hpp>

namespace busbar::detail {

namespace {

constexpr const char* leave_out = "leave it out";

class Fit {
 public:
  Fit(DeviceKind kind, const DeviceOptions& options) : kind_(kind), options_(options) {}

  std::vector<Misfit> misfits() {
    check_credit();
    check_strategy();
    if (options_.cache != LateJoin::nothing && kind_ != DeviceKind::forwarder) {
      note("cache", "a cache is for forwarders", leave_out);
    }
    if (kind_ == DeviceKind::services) {
      check_services();
    } else {
      check_stages();
    }
    check_without_effect();
    if (knows_workers(kind_, options_)) check_rules();
    return std::move(misfits_);
  }

 private:
  void note(std::string key, std::string problem, std::string remedy, std::string typed = {}) {
    misfits_.push_back({std::move(key), std::move(problem), std::move(remedy), std::move(typed)});
  }

  void check_credit() {
    if (!options_.credit) return;
    if (kind_ != DeviceKind::streamer) note("credit", "credit is for streamers", leave_out);
    for (const auto& [side, key] :
         {std::pair{&options_.frontend, "frontend"}, {&options_.backend, "backend"}}) {
      if (side->connect.size() + (side->bind.empty() ? 0 : 1) <= 1) continue;
      note(key, "with credit a side binds, or connects to one endpoint",
           "let the others connect to it");
    }
  }

  /// A ROUTER that connects knows nobody until they speak, and workers speak first.
  void check_strategy() {
    if (options_.strategy != Strategy::ready) return;
    if (kind_ != DeviceKind::queue) {
      note("strategy", "a strategy is for queues", leave_out);
    } else if (!options_.backend.connect.empty()) {
      note("backend.connect", "with the strategy ready workers connect to its backend", "bind it");
    }
  }

  void check_services() {
    if (!options_.backend.bind.empty() || !options_.backend.connect.empty()) {
      note("backend", "clients and workers share its frontend", "leave the backend out");
    }
    if (!options_.frontend.connect.empty()) {
      note("frontend.connect", "clients and workers connect to it", "bind its frontend");
    }
    if (!options_.stages.empty()) {
      note("stages", "services have no stages",
           "leave them out, or put a queue with them in front");
    }
  }

  void check_stages() {
    for (const Stage& stage : options_.stages) {
      if (!stage.needs_topic || kind_ == DeviceKind::forwarder) continue;
      note("stages",
           "'" + printable(stage.text) + "' needs a topic, which a " + std::string{name_of(kind_)} +
               "'s messages do not have",
           "move it to a forwarder");
    }
  }

  /// What the device would never look at.
  void check_without_effect() {
    const WorkerOptions& workers = options_.workers;
    if (options_.overflow && knows_workers(kind_, options_)) {
      note("overflow", "overflow is not for services, nor for queues with the strategy ready",
           leave_out);
    }
    if (!knows_workers(kind_, options_)) {
      check_no_beats("heartbeat", workers.heartbeat);
      check_no_beats("expiry", workers.expiry);
    }
    if (kind_ == DeviceKind::services) return;
    if (workers.hold_messages || workers.hold_bytes || workers.hold_age) {
      note("hold", "hold is for services", leave_out);
    }
    if (workers.prefetch) note("prefetch", "prefetch is for services", leave_out);
  }

  void check_no_beats(const std::string& key,
                      const std::optional<std::chrono::milliseconds>& given) {
    if (!given) return;
    note(key, key + " is for services, and for queues with the strategy ready",
         kind_ == DeviceKind::queue ? "leave it out, or give the queue that strategy" : leave_out);
  }

  void check_rules() {
    const WorkerRules rules = rules_of(options_.workers);
    if (rules.heartbeat.count() < 1) note("heartbeat", "heartbeat is below 1 ms", "raise it");
    if (rules.expiry <= rules.heartbeat) {
      note(options_.workers.expiry ? "expiry" : "heartbeat",
           "expiry is not above heartbeat: workers would be lost all the time",
           "raise expiry, or lower heartbeat", "--expiry TIME, --heartbeat TIME");
    }
    if (kind_ == DeviceKind::services) check_prefetch(rules.prefetch);
  }

  void check_prefetch(std::uint32_t prefetch) {
    if (prefetch < 1 || prefetch > protocol::majordomo::requests_max) {
      return note("prefetch", "prefetch is 0 or above 1000", "give 1 to 1000", "--prefetch N");
    }
    // libzmq learns that half a queue was read when it was, and not before.
    const int queue = options_.frontend.queue;
    if (prefetch <= 1 || queue <= 0 || prefetch <= static_cast<std::uint32_t>(queue) / 2) return;
    note("prefetch", "prefetch is above half the frontend's queue: a slow worker would be lost",
         "raise queue, or lower prefetch", "--prefetch N, --queue N");
  }

  const DeviceKind kind_;
  const DeviceOptions& options_;
  std::vector<Misfit> misfits_;
};

}  // namespace

bool has_backend(DeviceKind kind) noexcept { return kind != DeviceKind::services; }

bool knows_workers(DeviceKind kind, const DeviceOptions& options) noexcept {
  return kind == DeviceKind::services || options.strategy == Strategy::ready;
}

std::vector<Misfit> misfits_of(DeviceKind kind, const DeviceOptions& options) {
  return Fit{kind, options}.misfits();
}

}  // namespace busbar::detail

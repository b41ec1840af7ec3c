#include "busbar/devices/internal/relay_setup.hpp"

#include <algorithm>
#include <tuple>

#include <busbar/core/error.hpp>
#include <busbar/devices/internal/credit_lane.hpp>
#include <busbar/devices/topology/internal/wiring.hpp>
#include <busbar/protocol/majordomo.hpp>

namespace busbar::detail {

namespace {

void check_credit(const std::string& who, DeviceKind kind, const DeviceOptions& options) {
  if (!options.credit) return;
  if (kind != DeviceKind::streamer) {
    throw Error(ErrorKind::usage, who, "credit is for streamers", "leave it out");
  }
  for (const SideOptions* side : {&options.frontend, &options.backend}) {
    if (side->connect.size() + (side->bind.empty() ? 0 : 1) > 1) {
      throw Error(ErrorKind::usage, who, "with credit a side binds, or connects to one endpoint",
                  "let the others connect to it");
    }
  }
}

void check_cache(const std::string& who, DeviceKind kind, const DeviceOptions& options) {
  if (options.cache == LateJoin::nothing || kind == DeviceKind::forwarder) return;
  throw Error(ErrorKind::usage, who, "a cache is for forwarders", "leave it out");
}

/// A ROUTER that connects knows nobody until they speak, and workers speak first.
void check_workers(const std::string& who, DeviceKind kind, const DeviceOptions& options) {
  const auto refuse = [&](const std::string& cause, const std::string& remedy) {
    throw Error(ErrorKind::usage, who, cause, remedy);
  };
  if (options.strategy == Strategy::ready && kind != DeviceKind::queue) {
    refuse("a strategy is for queues", "leave it out");
  }
  if (kind == DeviceKind::services) {
    const SideOptions& back = options.backend;
    if (!back.bind.empty() || !back.connect.empty()) {
      refuse("clients and workers share its frontend", "leave the backend out");
    }
    if (!options.frontend.connect.empty()) {
      refuse("clients and workers connect to it", "give an endpoint to bind");
    }
    if (!options.stages.empty()) refuse("it has no stages", "put a queue with them in front");
  } else if (knows_workers(kind, options) && !options.backend.connect.empty()) {
    refuse("with the strategy ready workers connect to it", "give the backend one to bind");
  }
  if (!knows_workers(kind, options)) return;
  if (const auto misfit = misfit_of(kind, options)) {
    const char* const typed = misfit->key == "prefetch" ? " (--prefetch N, --queue N)"
                                                        : " (--expiry TIME, --heartbeat TIME)";
    refuse(misfit->problem, misfit->remedy + typed);
  }
}

/// Said here, as the system knows only that the address is taken.
void check_bound_once(const std::string& who, const DeviceOptions& options) {
  std::vector<std::pair<Endpoint, const char*>> bound;
  const auto note = [&](const Endpoint& endpoint, const char* place) {
    const bool chosen =
        endpoint.transport() == Transport::tcp ? endpoint.port() == 0 : endpoint.is_wildcard();
    for (const auto& [other, there] : bound) {
      if (chosen || !same_address(endpoint, other)) continue;
      throw Error(ErrorKind::usage, who,
                  endpoint.str() + " is for its " + place + ", and taken by its " + there,
                  "give each an endpoint of its own");
    }
    bound.emplace_back(endpoint, place);
  };
  for (const Endpoint& endpoint : options.frontend.bind) note(endpoint, "frontend");
  for (const Endpoint& endpoint : options.backend.bind) note(endpoint, "backend");
  if (options.control) note(*options.control, "control");
  if (options.tap) note(*options.tap, "tap");
}

void check_fit(DeviceKind kind, const DeviceOptions& options, bool first, bool last) {
  const std::string who =
      std::string(name_of(kind)) + (options.name.empty() ? "" : " '" + options.name + "'");
  const auto no_endpoint = [](const SideOptions& side) {
    return side.bind.empty() && side.connect.empty();
  };
  for (const auto& [outer, side, name] :
       {std::tuple{first, &options.frontend, "frontend"},
        std::tuple{last && has_backend(kind), &options.backend, "backend"}}) {
    if (outer && no_endpoint(*side)) {
      throw Error(ErrorKind::usage, who, std::string("its ") + name + " has no endpoint",
                  "give one to bind or to connect");
    }
  }
  check_bound_once(who, options);
  check_credit(who, kind, options);
  check_cache(who, kind, options);
  check_workers(who, kind, options);
  for (const Stage& stage : options.stages) {
    if (stage.needs_topic && kind != DeviceKind::forwarder) {
      throw Error(ErrorKind::usage, who, "stage '" + stage.text + "' needs topics",
                  "use it in a forwarder");
    }
  }
}

}  // namespace

bool has_backend(DeviceKind kind) noexcept { return kind != DeviceKind::services; }

bool knows_workers(DeviceKind kind, const DeviceOptions& options) noexcept {
  return kind == DeviceKind::services || options.strategy == Strategy::ready;
}

std::optional<Misfit> misfit_of(DeviceKind kind, const DeviceOptions& options) {
  const WorkerRules& rules = options.workers;
  if (rules.heartbeat.count() < 1)
    return Misfit{"heartbeat", "heartbeat is below 1 ms", "raise it"};
  if (rules.prefetch < 1 || rules.prefetch > protocol::majordomo::requests_max)
    return Misfit{"prefetch", "prefetch is 0 or above 1000", "give 1 to 1000"};
  // libzmq learns that half a queue was read when it was, and not before.
  const int queue = options.frontend.queue;
  const bool crowded = queue > 0 && static_cast<int>(rules.prefetch) > queue / 2;
  if (kind == DeviceKind::services && rules.prefetch > 1 && crowded) {
    return Misfit{"prefetch",
                  "prefetch is above half the frontend's queue: a slow worker would be lost",
                  "raise queue, or lower prefetch"};
  }
  if (rules.expiry > rules.heartbeat) return std::nullopt;
  return Misfit{"expiry", "expiry is not above heartbeat: workers would be lost all the time",
                "raise expiry, or lower heartbeat"};
}

Socket open_side(Context& context, DeviceKind kind, const DeviceOptions& options, Side side,
                 const std::string& device) {
  const bool front = side == Side::frontend;
  const SideOptions& given = front ? options.frontend : options.backend;
  SocketType type = front ? frontend_type(kind) : backend_type(kind);
  if (options.credit) type = CreditLane::type_of(given);
  if (!front && knows_workers(kind, options)) type = SocketType::router;
  return Socket(context, type,
                {.name = device + (front ? ".frontend" : ".backend"),
                 .bind = given.bind,
                 .connect = given.connect,
                 .security = given.security,
                 // With credit the protocol bounds what is sent.
                 .send_queue = options.credit ? 0 : given.queue,
                 .receive_queue = given.queue,
                 .ipc_mode = given.ipc_mode,
                 .refuse_when_full = true});
}

Hops make_hops(Context& context, DeviceKind kind, const std::vector<DeviceOptions>& chain) {
  Hops hops;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    check_fit(kind, chain[i], i == 0, i + 1 == chain.size());
    hops.push_back(std::make_unique<Hop>(context, kind, chain[i]));
  }
  return hops;
}

bool is_bounded(const SideOptions& side) {
  const auto tcp = [](const Endpoint& endpoint) { return endpoint.transport() == Transport::tcp; };
  return side.queue > 0 && std::all_of(side.bind.begin(), side.bind.end(), tcp) &&
         std::all_of(side.connect.begin(), side.connect.end(), tcp);
}

Overflow forward_overflow(DeviceKind kind, const DeviceOptions& last) {
  return last.overflow.value_or(kind == DeviceKind::forwarder ? Overflow::drop : Overflow::block);
}

}  // namespace busbar::detail

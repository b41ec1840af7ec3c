#include "busbar/devices/internal/relay_setup.hpp"

#include <algorithm>
#include <tuple>

#include <busbar/core/error.hpp>
#include <busbar/devices/internal/credit_lane.hpp>
#include <busbar/devices/topology/internal/wiring.hpp>

namespace busbar::detail {

namespace {

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
  const std::vector<Misfit> misfits = misfits_of(kind, options);
  if (misfits.empty()) return;
  const Misfit& misfit = misfits.front();
  throw Error(ErrorKind::usage, who, misfit.problem,
              misfit.remedy + (misfit.typed.empty() ? "" : " (" + misfit.typed + ")"));
}

}  // namespace

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

#include "busbar/devices/internal/relay_setup.hpp"

#include <algorithm>
#include <tuple>

#include <busbar/core/error.hpp>

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

void check_fit(DeviceKind kind, const DeviceOptions& options, bool first, bool last) {
  const std::string who =
      std::string(name_of(kind)) + (options.name.empty() ? "" : " '" + options.name + "'");
  const auto no_endpoint = [](const SideOptions& side) {
    return side.bind.empty() && side.connect.empty();
  };
  for (const auto& [outer, side, name] : {std::tuple{first, &options.frontend, "frontend"},
                                          std::tuple{last, &options.backend, "backend"}}) {
    if (outer && no_endpoint(*side)) {
      throw Error(ErrorKind::usage, who, std::string("its ") + name + " has no endpoint",
                  "give one to bind or to connect");
    }
  }
  check_credit(who, kind, options);
  check_cache(who, kind, options);
  for (const Stage& stage : options.stages) {
    if (stage.needs_topic && kind != DeviceKind::forwarder) {
      throw Error(ErrorKind::usage, who, "stage '" + stage.text + "' needs topics",
                  "use it in a forwarder");
    }
  }
}

}  // namespace

Socket open_side(Context& context, SocketType type, const std::string& name,
                 const SideOptions& side, bool credit) {
  return Socket(context, type,
                {.name = name,
                 .bind = side.bind,
                 .connect = side.connect,
                 .security = side.security,
                 .send_queue = credit ? 0 : side.queue,
                 .receive_queue = side.queue,
                 .ipc_mode = side.ipc_mode,
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

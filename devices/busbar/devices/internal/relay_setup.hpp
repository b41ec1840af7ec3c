/// What a relay is made of, out of its devices' options.
#pragma once

#include <string>
#include <vector>

#include <busbar/core/socket.hpp>
#include <busbar/devices/internal/lane.hpp>
#include <busbar/devices/internal/misfits.hpp>

namespace busbar::detail {

enum class Side { frontend, backend };
Socket open_side(Context& context, DeviceKind kind, const DeviceOptions& options, Side side,
                 const std::string& device);
/// Throws Error where a device's options do not fit its kind or its place in the chain.
Hops make_hops(Context& context, DeviceKind kind, const std::vector<DeviceOptions>& chain);
/// Whether what a side may hold can be told: an inproc or ipc peer shows no connection of its own,
/// and an inproc pipe has the sender's bound as well.
bool is_bounded(const SideOptions& side);
/// What the kind does with what its backend has no room for, unless `last` says otherwise.
Overflow forward_overflow(DeviceKind kind, const DeviceOptions& last);

}  // namespace busbar::detail

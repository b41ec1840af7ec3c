/// Asks control endpoints: what `busbar status` and its sisters use.
#pragma once

#include <chrono>

#include <busbar/core/context.hpp>
#include <busbar/core/control_protocol.hpp>
#include <busbar/core/socket_options.hpp>

namespace busbar {

/// Sends one request and waits for the reply. Blocks for at most `timeout`, and once connected
/// longer by the request's own deadline. Throws Error: unreachable (nobody listens until the
/// timeout, or no address or permission), timeout (connected, and nobody answers), refused (the
/// endpoint said no, with its reason, turned our keys down, or does not speak the protocol).
std::vector<Ledger> ask_control(Context& context, const Endpoint& endpoint,
                                const control::Request& request, std::chrono::milliseconds timeout,
                                const Security& security = {});

}  // namespace busbar

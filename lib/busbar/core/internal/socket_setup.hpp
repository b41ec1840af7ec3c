/// Makes libzmq sockets with the defaults of an expert.
#pragma once

#include <string>

#include <busbar/core/internal/monitor.hpp>
#include <busbar/core/socket_options.hpp>

namespace busbar::detail {

int zmq_type(SocketType type) noexcept;

/// Throws Error (usage) where `options` contradict themselves or leave an endpoint unprotected.
void check_options(SocketType type, const SocketOptions& options);

/// Sets every option; `zap_domain` is empty for a socket that only connects.
void apply_options(void* socket, SocketType type, const SocketOptions& options,
                   const std::string& zap_domain);

/// Binds and answers where: the port that the system chose. Throws Error (unreachable).
Endpoint bind_socket(void* socket, const Endpoint& endpoint, const SocketOptions& options,
                     Monitor& monitor);

}  // namespace busbar::detail

/// Whether ends that we connect to are there, and why not.
#pragma once

#include <cstdint>
#include <string>

#include <busbar/core/socket.hpp>

namespace busbar::detail {

struct Trouble {
  std::uint64_t connections = 0;  ///< That came to be.
  // Until one does:
  std::string handshake_failure = {};
  std::string unresolved = {};  ///< No address, or no permission.

  void hear(const SocketEvent& event) {
    using Kind = SocketEvent::Kind;
    if (event.kind == Kind::handshake_failed) handshake_failure = event.cause;
    if (event.kind == Kind::not_resolved) unresolved = event.cause;
    if (event.kind == Kind::connected) *this = {.connections = connections + 1};
  }
  /// For an Error's cause; empty: nothing is known.
  std::string text() const {
    return handshake_failure.empty() ? unresolved : "the handshake failed: " + handshake_failure;
  }
};

}  // namespace busbar::detail

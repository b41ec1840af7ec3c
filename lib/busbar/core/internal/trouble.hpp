/// Why an end that we connect to is not there.
#pragma once

#include <string>

#include <busbar/core/socket.hpp>

namespace busbar::detail {

/// Known until an end is connected.
struct Trouble {
  std::string handshake_failure = {};
  std::string unresolved = {};  ///< No address, or no permission.

  void hear(const SocketEvent& event) {
    using Kind = SocketEvent::Kind;
    if (event.kind == Kind::handshake_failed) handshake_failure = event.cause;
    if (event.kind == Kind::not_resolved) unresolved = event.cause;
    if (event.kind == Kind::connected) *this = {};
  }
  /// For an Error's cause; empty: nothing is known.
  std::string text() const {
    return handshake_failure.empty() ? unresolved : "the handshake failed: " + handshake_failure;
  }
};

}  // namespace busbar::detail

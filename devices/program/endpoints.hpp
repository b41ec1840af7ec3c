/// Where a message command binds or connects, and what it says where nobody is there.
#pragma once

#include "program/messages.hpp"

#include <string>
#include <vector>

#include <busbar/core/ledger.hpp>

namespace busbar::program {

/// Throws Error (usage): none, or one that does not leave this process.
std::vector<Endpoint> addresses(const MessageOptions& options);

/// Sets where to bind or connect, and the keys, of a socket or a pattern.
template <class T>
void place(T& made, const MessageOptions& options) {
  (options.bind ? made.bind : made.connect) = addresses(options);
  made.security = options.security.load();
}

/// `push bound to tcp://…`, on stderr, for each.
void say_bound(const MessageOptions& options, const std::vector<Endpoint>& bound);
/// `push tcp://…`, for errors.
std::string subject(const MessageOptions& options);

bool any_connected(const std::vector<PeerInfo>& peers);
/// Why nobody is there, where that is known.
struct Absence {
  std::string handshake_failure = {};
  std::string unresolved = {};
  bool met = false;  ///< Somebody was there already.
  /// After a failed handshake.
  std::string suspects = "its --wire, --key, --server-key, and its allow list";
};
Absence absence(const std::vector<PeerInfo>& peers, const std::string& unresolved);
/// For any ledger of a pattern.
template <class Ledger>
Absence absence(const Ledger& ledger) {
  if constexpr (!requires { ledger.handshake_failure; }) {
    return absence(ledger.peers, ledger.unresolved);
  } else {
    Absence found{.handshake_failure = ledger.handshake_failure, .unresolved = ledger.unresolved};
    if constexpr (requires { ledger.connections; }) found.met = ledger.connections > 0;
    return found;
  }
}
/// A broker's end has no --wire.
template <class Ledger>
Absence absence_of_broker(const Ledger& ledger) {
  Absence found = absence(ledger);
  found.suspects = "its key and allow list, and our --key and --server-key";
  return found;
}
/// Error (timeout), or (refused) after a failed handshake, or (unreachable) where a host has no
/// address, or a path does not let us in.
[[noreturn]] void give_up(const std::string& subject, const Absence& absence,
                          const std::string& cause, const std::string& remedy);

}  // namespace busbar::program

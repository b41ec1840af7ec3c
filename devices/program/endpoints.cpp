#include "program/endpoints.hpp"

#include "program/talk.hpp"

#include <algorithm>

#include <busbar/core/error.hpp>

namespace busbar::program {

std::vector<Endpoint> addresses(const MessageOptions& options) {
  std::vector<Endpoint> all =
      options.bind ? endpoints(options.endpoints) : endpoints_to_connect(options.endpoints);
  for (const Endpoint& endpoint : all)
    check_leaves_process(options.command + ' ' + endpoint.str(), endpoint);
  return all;
}

void say_bound(const MessageOptions& options, const std::vector<Endpoint>& bound) {
  for (const Endpoint& endpoint : bound) say(options.command + " bound to " + endpoint.str());
}

std::string subject(const MessageOptions& options) {
  std::string all = options.command;
  for (const std::string& text : options.endpoints) all += ' ' + text;
  return all;
}

bool any_connected(const std::vector<PeerInfo>& peers) {
  return std::any_of(peers.begin(), peers.end(),
                     [](const PeerInfo& peer) { return peer.connected; });
}

Absence absence(const std::vector<PeerInfo>& peers, const std::string& unresolved) {
  Absence found{.unresolved = any_connected(peers) ? "" : unresolved};
  for (const PeerInfo& peer : peers)
    if (!peer.connected && !peer.last_failure.empty()) found.handshake_failure = peer.last_failure;
  return found;
}

void give_up(const std::string& subject, const Absence& absence, const std::string& cause,
             const std::string& remedy) {
  if (!absence.handshake_failure.empty())
    throw Error{ErrorKind::refused, subject,
                cause + "; the handshake failed: " + absence.handshake_failure,
                "check what the other end is and " + absence.suspects};
  if (!absence.unresolved.empty())
    throw Error{ErrorKind::unreachable, subject, cause + "; " + absence.unresolved,
                "check the host's name, or the path's permissions"};
  throw Error{ErrorKind::timeout, subject, cause, remedy};
}

}  // namespace busbar::program

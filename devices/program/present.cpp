#include "program/present.hpp"

#include "program/options.hpp"
#include "program/talk.hpp"

#include <busbar/core/error.hpp>

namespace busbar::program {
namespace {

/// The library says the same of its own options.
void check_times(const PeerOptions& peer) {
  const auto refuse = [](const char* option, const char* cause, const char* remedy) {
    throw Error{ErrorKind::usage, option, cause, remedy};
  };
  if (peer.beacon_interval.count() == 0)
    refuse("--beacon-interval", "that is no time", "give a longer one, or --beacon-port 0");
  if (peer.evasive_after.count() == 0)
    refuse("--evasive-after", "that is no time", "give a longer one");
  if (peer.expire_after <= peer.evasive_after)
    refuse("--expire-after", "it is not longer than --evasive-after", "give a longer one");
}

PeerOptions peer_options(const PeerCommand& command) {
  PeerOptions made = command.peer;
  check_times(made);
  made.connect = endpoints_to_connect(command.connect);
  if (!command.bind.empty()) made.bind = Endpoint{command.bind};
  if (made.bind) check_leaves_process("--bind " + command.bind, *made.bind);
  made.headers = command.messages.headers;
  made.security = command.messages.security.load();
  return made;
}

void offer(Peer& peer, const std::string& text) {
  const std::size_t sign = text.find('=');
  if (sign == std::string::npos)
    throw Error{ErrorKind::usage, "--offer", "'" + printable(text) + "' offers nothing",
                "write NAME=ENDPOINT"};
  peer.offer(text.substr(0, sign), text.substr(sign + 1));
}

}  // namespace

Present::Present(const PeerCommand& command)
    : command_(command),
      context_(std::in_place, ContextOptions{.log = library_log()}),
      peer_(std::in_place, *context_, peer_options(command)) {
  for (const std::string& text : command.offers) offer(*peer_, text);
  for (const std::string& group : command.groups) peer_->join(group);
  say("peer '" + printable(peer_->name()) + "' " + peer_->id().str() + " at " +
      peer_->endpoint().str());
}

void Present::give_up(const std::string& cause, const std::string& remedy, ErrorKind kind) const {
  throw Error{kind, "peer " + command_.action, cause, remedy};
}

void Present::end() {
  peer_.reset();
  context_.reset();
}

}  // namespace busbar::program

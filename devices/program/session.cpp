#include "program/session.hpp"

#include "program/talk.hpp"

#include <algorithm>
#include <array>

#include <busbar/core/error.hpp>

namespace busbar::program {
namespace {

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : " ") + text;
  return all;
}

SocketOptions socket_options(const MessageOptions& options, bool refuse_when_full) {
  SocketOptions socket;
  socket.name = options.command;
  (options.bind ? socket.bind : socket.connect) = endpoints(options.endpoints);
  for (const Endpoint& endpoint : options.bind ? socket.bind : socket.connect)
    if (endpoint.transport() == Transport::inproc)
      throw Error{ErrorKind::usage, options.command + ' ' + endpoint.str(),
                  "inproc does not leave this process", "use ipc:// or tcp://"};
  socket.security = options.security.load();
  socket.refuse_when_full = refuse_when_full;
  return socket;
}

}  // namespace

Session::Session(SocketType type, const MessageOptions& options, bool refuse_when_full)
    : context_({.log = library_log()}),
      name_(options.command + ' ' + joined(options.endpoints)),
      socket_(context_, type, socket_options(options, refuse_when_full)) {
  socket_.on_event([this](const SocketEvent& event) {
    if (event.kind == SocketEvent::Kind::not_resolved) unresolved_ = event.cause;
  });
  for (const Endpoint& endpoint : socket_.bound())
    say(options.command + " bound to " + endpoint.str());
}

void Session::wait(short events, int descriptor, short descriptor_events,
                   std::optional<std::chrono::milliseconds> timeout) {
  const Clock& clock = context_.clock();
  if (maintain_at_ <= clock.now()) maintain_at_ = socket_.maintain();
  std::array<zmq::pollitem_t, 4> items{{{socket_.raw().handle(), 0, events, 0},
                                        {socket_.monitor().handle(), 0, ZMQ_POLLIN, 0},
                                        {nullptr, signals_.descriptor(), ZMQ_POLLIN, 0},
                                        {nullptr, descriptor, descriptor_events, 0}}};
  auto most = std::chrono::ceil<std::chrono::milliseconds>(maintain_at_ - clock.now());
  most = std::clamp(most, std::chrono::milliseconds{0}, std::chrono::milliseconds{1000});
  if (timeout) most = std::min(most, std::max(*timeout, std::chrono::milliseconds{0}));
  const int ready = zmq_poll(items.data(), descriptor < 0 ? 3 : 4, most.count());
  if (ready <= 0) return;
  if (items[1].revents != 0) maintain_at_ = socket_.maintain();
  if (items[2].revents != 0)
    while (signals_.next()) ++signals_seen_;
  broken_ = descriptor >= 0 && (items[3].revents & ZMQ_POLLERR) != 0;
}

bool Session::has_peer() {
  const std::vector<PeerInfo>& peers = socket_.peers();
  return std::any_of(peers.begin(), peers.end(),
                     [](const PeerInfo& peer) { return peer.connected; });
}

void Session::give_up(const std::string& cause, const std::string& remedy) {
  for (const PeerInfo& peer : socket_.peers())
    if (!peer.connected && !peer.last_failure.empty())
      throw Error{ErrorKind::refused, name_, cause + "; the handshake failed: " + peer.last_failure,
                  "check --key, --server-key and the other end's allow list"};
  if (!unresolved_.empty() && !has_peer())
    throw Error{ErrorKind::unreachable, name_, cause + "; " + unresolved_, "check the host's name"};
  throw Error{ErrorKind::timeout, name_, cause, remedy};
}

}  // namespace busbar::program

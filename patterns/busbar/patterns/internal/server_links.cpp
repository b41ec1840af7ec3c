#include "busbar/patterns/internal/server_links.hpp"

#include <utility>

#include <busbar/core/internal/frames.hpp>

namespace busbar::detail {

ServerLinks::ServerLinks(Context& context, const std::string& name,
                         const std::vector<Endpoint>& servers, const Security& security,
                         Events events)
    : events_(std::move(events)) {
  for (std::size_t i = 0; i < servers.size(); ++i) {
    servers_.push_back(
        {Socket{context,
                SocketType::dealer,
                {.name = name, .connect = {servers[i]}, .security = security, .send_queue = 0}}});
    servers_[i].socket.on_event([this, i](const SocketEvent& event) { hear(i, event); });
    if (servers[i].transport() == Transport::inproc) at_once_.push_back(i);
  }
  release();
}

void ServerLinks::hear(std::size_t server, const SocketEvent& event) {
  using Kind = SocketEvent::Kind;
  if (event.kind == Kind::handshake_failed) handshake_failure_ = event.cause;
  if (event.kind == Kind::not_resolved) unresolved_ = event.cause;
  if (event.kind == Kind::connected) {
    handshake_failure_.clear();
    unresolved_.clear();
  }
  servers_[server].news.push_back(event.kind);
}

void ServerLinks::tell_news(std::size_t server) {
  if (servers_[server].news.empty()) return;
  using Kind = SocketEvent::Kind;
  for (const Kind kind : std::exchange(servers_[server].news, {})) {
    if (kind == Kind::connected) events_.connected(server);
    if (kind == Kind::disconnected) events_.disconnected(server);
    if (kind == Kind::handshake_failed || kind == Kind::not_resolved || kind == Kind::retrying)
      events_.unreachable(server);
  }
}

bool ServerLinks::receive(std::size_t& from, Multipart& into) {
  for (std::size_t i = 0; i < servers_.size(); ++i, ++turn_) {
    const std::size_t server = turn_ % servers_.size();
    if (servers_[server].socket.receive(into)) {
      from = server;
      return true;
    }
    tell_news(server);
  }
  return false;
}

void ServerLinks::send(std::size_t to, Multipart& frames) {
  // Refused only by a peer that broke off in the middle, of which the monitor tells.
  (void)servers_[to].socket.send(frames);
}

TimePoint ServerLinks::maintain() {
  for (const std::size_t server : std::exchange(at_once_, {})) events_.connected(server);
  TimePoint next = TimePoint::max();
  for (Server& server : servers_) next = std::min(next, server.socket.maintain());
  return next;
}

void ServerLinks::add_to(SocketPoll& poll) {
  for (Server& server : servers_) {
    poll.add(server.socket.raw().handle(), ZMQ_POLLIN);
    poll.add(server.socket.monitor().handle(), ZMQ_POLLIN);
  }
}

bool ServerLinks::readable() {
  for (Server& server : servers_) {
    if ((hear_of_room(server.socket.raw().handle()) & ZMQ_POLLIN) != 0) return true;
  }
  return false;
}

void ServerLinks::release() noexcept {
  for (Server& server : servers_) server.socket.release();
}

}  // namespace busbar::detail

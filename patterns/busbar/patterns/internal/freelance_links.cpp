#include "busbar/patterns/internal/freelance_links.hpp"

#include <algorithm>
#include <utility>

#include <busbar/core/internal/frames.hpp>
#include <busbar/protocol/freelance.hpp>

namespace busbar::detail {

FreelanceLinks::FreelanceLinks(Context& context, const ServerLinksOptions& options, Events events)
    : context_(context),
      events_(std::move(events)),
      liveness_(options.servers.size()),
      socket_(context, SocketType::router,
              {.name = options.name,
               .connect = options.servers,
               .security = options.security,
               .send_queue = 0,
               .linger = farewell}) {
  for (const Endpoint& endpoint : options.servers) servers_.push_back({endpoint.str()});
  socket_.on_event([this](const SocketEvent& event) { hear(event); });
  socket_.release();
}

void FreelanceLinks::hear(const SocketEvent& event) {
  trouble_.hear(event);
  for (Server& server : servers_) {
    if (server.identity == event.endpoint) server.news.push_back(event.kind);
  }
}

void FreelanceLinks::tell_news() {
  using Kind = SocketEvent::Kind;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    for (const Kind kind : std::exchange(servers_[i].news, {})) {
      if (kind == Kind::connected) liveness_.connected(i);
      if (kind == Kind::disconnected) gone(i);
      if (kind == Kind::handshake_failed || kind == Kind::not_resolved || kind == Kind::retrying)
        events_.unreachable(i);
    }
  }
}

void FreelanceLinks::gone(std::size_t server) {
  liveness_.disconnected(server);
  events_.disconnected(server);
}

bool FreelanceLinks::receive(std::size_t& from, Multipart& into) {
  while (socket_.receive(into)) {
    const auto server = std::find_if(servers_.begin(), servers_.end(), [&](const Server& one) {
      return one.identity == into.text(0);
    });
    if (server == servers_.end() || into.size() < 2) continue;  // none that we asked
    from = static_cast<std::size_t>(server - servers_.begin());
    if (liveness_.heard(from, context_.clock().now())) events_.connected(from);
    if (protocol::freelance::is_pong(into)) continue;
    if (into.size() > 2) protocol::freelance::to_busbar(into);  // it is no Replier
    into.pop_front();
    return true;
  }
  tell_news();
  return false;
}

void FreelanceLinks::send(std::size_t to, Multipart& frames) {
  frames.push_front(servers_[to].identity);
  protocol::freelance::from_busbar(frames);
  if (socket_.send(frames) == SendResult::no_peer && liveness_.is_there(to))
    servers_[to].news.push_back(SocketEvent::Kind::disconnected);
}

bool FreelanceLinks::ping(const Server& server) {
  Multipart message = protocol::freelance::ping(server.identity);
  return socket_.send(message) == SendResult::sent;
}

TimePoint FreelanceLinks::maintain() {
  const TimePoint next = socket_.maintain();
  const TimePoint now = context_.clock().now();
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (liveness_.falls_silent(i, now)) gone(i);
    if (liveness_.ping_is_due(i, now)) liveness_.pinged(i, ping(servers_[i]), now);
  }
  return std::min(next, liveness_.next());
}

void FreelanceLinks::add_to(SocketPoll& poll) {
  poll.add_unasked(socket_.raw().handle());
  poll.add_unasked(socket_.monitor().handle());
}

bool FreelanceLinks::readable() { return (hear_of_room(socket_.raw().handle()) & ZMQ_POLLIN) != 0; }

}  // namespace busbar::detail

#include "busbar/patterns/internal/server_links.hpp"

#include <algorithm>
#include <utility>

#include <busbar/core/internal/frames.hpp>
#include <busbar/patterns/internal/freelance_links.hpp>

namespace busbar::detail {

namespace {

/// A DEALER for each server, so that each can be spoken to by itself.
class DealerLinks final : public ServerLinks {
 public:
  DealerLinks(Context& context, const ServerLinksOptions& options, Events events);

  bool receive(std::size_t& from, Multipart& into) override;
  void send(std::size_t to, Multipart& frames) override;
  TimePoint maintain() override;
  void add_to(SocketPoll& poll) override;
  bool readable() override;
  void release() noexcept override;

 private:
  struct Server {
    Socket socket;
    std::vector<SocketEvent::Kind> news = {};
  };
  void hear(std::size_t server, const SocketEvent& event);
  void tell_news(std::size_t server);

  Events events_;
  std::vector<Server> servers_;
  std::vector<std::size_t> at_once_;  ///< inproc, whose connections no monitor tells of.
  std::size_t turn_ = 0;
};

DealerLinks::DealerLinks(Context& context, const ServerLinksOptions& options, Events events)
    : events_(std::move(events)) {
  const std::vector<Endpoint>& servers = options.servers;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    servers_.push_back({Socket{context,
                               SocketType::dealer,
                               {.name = options.name,
                                .connect = {servers[i]},
                                .security = options.security,
                                .send_queue = 0,
                                .linger = farewell}}});
    servers_[i].socket.on_event([this, i](const SocketEvent& event) { hear(i, event); });
    if (servers[i].transport() == Transport::inproc) at_once_.push_back(i);
  }
  for (Server& server : servers_) server.socket.release();
}

void DealerLinks::hear(std::size_t server, const SocketEvent& event) {
  trouble_.hear(event);
  servers_[server].news.push_back(event.kind);
}

void DealerLinks::tell_news(std::size_t server) {
  if (servers_[server].news.empty()) return;
  using Kind = SocketEvent::Kind;
  for (const Kind kind : std::exchange(servers_[server].news, {})) {
    if (kind == Kind::connected) events_.connected(server);
    if (kind == Kind::disconnected) events_.disconnected(server);
    if (kind == Kind::handshake_failed || kind == Kind::not_resolved || kind == Kind::retrying)
      events_.unreachable(server);
  }
}

bool DealerLinks::receive(std::size_t& from, Multipart& into) {
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

void DealerLinks::send(std::size_t to, Multipart& frames) {
  // Refused only by a peer that broke off in the middle, of which the monitor tells.
  (void)servers_[to].socket.send(frames);
}

TimePoint DealerLinks::maintain() {
  for (const std::size_t server : std::exchange(at_once_, {})) events_.connected(server);
  TimePoint next = TimePoint::max();
  for (Server& server : servers_) next = std::min(next, server.socket.maintain());
  return next;
}

void DealerLinks::add_to(SocketPoll& poll) {
  for (Server& server : servers_) {
    poll.add_unasked(server.socket.raw().handle());
    poll.add_unasked(server.socket.monitor().handle());
  }
}

bool DealerLinks::readable() {
  for (Server& server : servers_) {
    if ((hear_of_room(server.socket.raw().handle()) & ZMQ_POLLIN) != 0) return true;
  }
  return false;
}

void DealerLinks::release() noexcept {
  for (Server& server : servers_) server.socket.release();
}

}  // namespace

std::unique_ptr<ServerLinks> ServerLinks::create(Context& context,
                                                 const ServerLinksOptions& options, Events events) {
  if (options.wire == RequestWire::freelance)
    return std::make_unique<FreelanceLinks>(context, options, std::move(events));
  return std::make_unique<DealerLinks>(context, options, std::move(events));
}

}  // namespace busbar::detail

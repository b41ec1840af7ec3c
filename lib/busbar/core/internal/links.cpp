#include "busbar/core/internal/links.hpp"

#include <algorithm>
#include <set>

#include <busbar/core/internal/frames.hpp>

namespace busbar::detail {

namespace {

constexpr char by_routing_id = 'R';
constexpr char by_endpoint = 'D';

SocketOptions socket_options(const LinksOptions& options) {
  return {.name = options.name,
          .security = options.security,
          .send_queue = 0,
          .linger = options.linger};
}

}  // namespace

Links::Links(Context& context, const LinksOptions& options, Events events)
    : events_(std::move(events)) {
  if (!options.bind.empty()) {
    SocketOptions how = socket_options(options);
    how.bind = options.bind;
    router_.emplace(context, SocketType::router, how);
    bound_ = router_->bound();
    router_->on_event([this](const SocketEvent& event) {
      if (event.kind == SocketEvent::Kind::disconnected) events_.somebody_left();
    });
  }
  std::set<std::string> seen;
  for (const Endpoint& endpoint : options.connect) {
    if (!seen.insert(endpoint.str()).second) continue;
    SocketOptions how = socket_options(options);
    how.connect = {endpoint};
    const Address address = by_endpoint + std::to_string(dealers_.size());
    dealers_.push_back({address, Socket{context, SocketType::dealer, how}});
    watch(dealers_.size() - 1);
    if (endpoint.transport() == Transport::inproc) at_once_.push_back(address);
  }
}

void Links::watch(std::size_t dealer) {
  dealers_[dealer].socket.on_event([this, dealer](const SocketEvent& event) {
    trouble_.hear(event);
    dealers_[dealer].news.push_back(event.kind);
  });
}

void Links::tell_news(Dealer& dealer) {
  if (dealer.news.empty()) return;
  for (const SocketEvent::Kind kind : std::exchange(dealer.news, {})) {
    if (kind == SocketEvent::Kind::connected) events_.connected(dealer.address);
    if (kind == SocketEvent::Kind::disconnected) events_.disconnected(dealer.address);
  }
}

std::uint64_t Links::refused() const noexcept {
  std::uint64_t refused = router_ ? router_->refused() : 0;
  for (const Dealer& dealer : dealers_) refused += dealer.socket.refused();
  return refused;
}

bool Links::receive(Address& from, Multipart& into) {
  const std::size_t sockets = dealers_.size() + (router_ ? 1 : 0);
  for (std::size_t i = 0; i < sockets; ++i, ++turn_) {
    const std::size_t socket = turn_ % sockets;
    if (socket < dealers_.size()) {
      if (!dealers_[socket].socket.receive(into)) {
        tell_news(dealers_[socket]);
        continue;
      }
      from = dealers_[socket].address;
      return true;
    }
    if (!router_->receive(into)) continue;
    const Frame id = into.pop_front();
    from.assign(1, by_routing_id).append(text(id));
    return true;
  }
  return false;
}

bool Links::send(const Address& to, Multipart& frames) {
  if (to.front() == by_endpoint) {
    const std::size_t socket = std::stoul(to.substr(1));
    return dealers_[socket].socket.send(frames) == SendResult::sent;
  }
  if (!router_) return false;
  Frame id{to.data() + 1, to.size() - 1};
  void* handle = router_->raw().handle();
  while (zmq_msg_send(id.handle(), handle, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
    if (zmq_errno() != EINTR) return false;
  }
  return send_frames(handle, frames, ZMQ_DONTWAIT) == 0;
}

TimePoint Links::maintain() {
  for (const Address& address : std::exchange(at_once_, {})) events_.connected(address);
  TimePoint next = router_ ? router_->maintain() : TimePoint::max();
  for (Dealer& dealer : dealers_) next = std::min(next, dealer.socket.maintain());
  return next;
}

void Links::add_to(SocketPoll& poll) {
  const auto add = [&](Socket& socket) {
    poll.add(socket.raw().handle(), ZMQ_POLLIN);
    poll.add(socket.monitor().handle(), ZMQ_POLLIN);
  };
  if (router_) add(*router_);
  for (Dealer& dealer : dealers_) add(dealer.socket);
}

void Links::see_off(std::chrono::milliseconds longest) {
  const TimePoint end = after(std::chrono::steady_clock::now(), longest);
  const auto left = [end] { return left_until(end, std::chrono::steady_clock::now()); };
  if (router_) router_->see_off(left());
  for (Dealer& dealer : dealers_) dealer.socket.see_off(left());
}

void Links::release() noexcept {
  if (router_) router_->release();
  for (Dealer& dealer : dealers_) dealer.socket.release();
}

}  // namespace busbar::detail

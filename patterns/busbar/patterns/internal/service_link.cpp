#include "busbar/patterns/internal/service_link.hpp"

#include <algorithm>

namespace busbar::detail {

using std::chrono::milliseconds;

ServiceLink::ServiceLink(Context& context, const ServiceClientOptions& options)
    : context_(context), options_(options) {
  connect();
}

void ServiceLink::connect() {
  socket_.reset();
  news_.clear();
  state_ = BrokerState::connecting;
  const Endpoint& broker = options_.connect[next_broker_++ % options_.connect.size()];
  socket_.emplace(context_, SocketType::dealer,
                  SocketOptions{.name = options_.name,
                                .connect = {broker},
                                .security = options_.security,
                                .linger = milliseconds{0}});
  socket_->on_event([this](const SocketEvent& event) { hear(event); });
  // Whose connections no monitor tells of.
  if (broker.transport() == Transport::inproc) set(BrokerState::connected);
}

void ServiceLink::cut() noexcept {
  socket_.reset();
  news_.clear();
  state_ = BrokerState::connecting;
}

void ServiceLink::wake() {
  if (!socket_) connect();
  socket_->maintain();
  news_.clear();  // what counts is what became of it
}

void ServiceLink::hear(const SocketEvent& event) {
  using Kind = SocketEvent::Kind;
  trouble_.hear(event);
  switch (event.kind) {
    case Kind::connected:
      return set(BrokerState::connected);
    case Kind::handshake_failed:
    case Kind::not_resolved:
    case Kind::retrying:
      return set(BrokerState::unreachable);
    case Kind::disconnected:
      return set(BrokerState::lost);
    default:
      return;
  }
}

void ServiceLink::set(BrokerState state) {
  state_ = state;
  news_.push_back(state);
}

void ServiceLink::send(Multipart& frames) {
  // Never full: it is the only message of its connection. One that broke off is told as news.
  [[maybe_unused]] const SendResult sent = socket_->send(frames);
}

std::optional<Multipart> ServiceLink::receive(TimePoint until) {
  Multipart frames;
  while (true) {
    const TimePoint next = socket_->maintain();
    // After that: what a broker said last must not come behind the news that it left.
    if (socket_->receive(frames)) return frames;
    const TimePoint now = context_.clock().now();
    if (!news_.empty() || now >= until) return std::nullopt;
    poll_.start();
    poll_.add(socket_->raw().handle(), ZMQ_POLLIN);
    poll_.add(socket_->monitor().handle(), ZMQ_POLLIN);
    (void)poll_.wait(left_until(std::min(until, next), now));  // a stopped context: receive throws
  }
}

void ServiceLink::release() noexcept {
  if (socket_) socket_->release();
}

}  // namespace busbar::detail

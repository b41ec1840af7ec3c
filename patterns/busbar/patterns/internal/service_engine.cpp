#include "busbar/patterns/internal/service_engine.hpp"

#include <algorithm>
#include <utility>

namespace busbar::detail {

using std::chrono::milliseconds;

namespace {
constexpr int burst = 256;
}  // namespace

ServiceEngine::ServiceEngine(Context& context, const ServiceWorkerOptions& options, Take take)
    : context_(context), options_(options), take_(std::move(take)) {
  const WorkerProtocol::Options protocol{
      .service = options.service,
      .dialect = protocol::majordomo::dialect_of(options.version),
      .heartbeat = options.heartbeat,
      .expiry = options.expiry};
  for (const Endpoint& broker : options.connect) {
    for (unsigned i = 0; i < options.threads; ++i) {
      places_.push_back({.broker = broker, .protocol = WorkerProtocol{protocol}});
    }
  }
  for (Place& place : places_) {
    connect(place);
    place.socket->release();
  }
}

void ServiceEngine::connect(Place& place) {
  // What it could not deliver to a broker that is not there goes: one that comes would take its old
  // READY for a worker. What the broker does read may be an answer.
  if (place.socket && !may_be_heard(place)) place.socket->close(milliseconds{0});
  place.socket.emplace(context_, SocketType::dealer,
                       SocketOptions{.name = "service '" + printable(options_.service) + "'",
                                     .connect = {place.broker},
                                     .security = options_.security});
  place.socket->on_event([this](const SocketEvent& event) { trouble_.hear(event); });
  place.protocol.connected(context_.clock().now());
  ++registrations_;
}

bool ServiceEngine::turn(TimePoint now) {
  bool came = false;
  maintain_at_ = TimePoint::max();
  for (std::size_t i = 0; i < places_.size(); ++i) {
    Place& place = places_[i];
    maintain_at_ = std::min(maintain_at_, place.socket->maintain());
    // For each place: who floods one is not to keep us from hearing the others.
    for (int n = 0; n < burst && place.socket->receive(frames_); ++n) {
      came = true;
      if (auto request = place.protocol.on_message(frames_, now)) take_(i, std::move(*request));
    }
    if (place.protocol.next_deadline() <= now) place.protocol.on_time(now);
    if (place.protocol.wants_socket(now)) connect(place);
    send_all(place);
  }
  return came;
}

/// What there is no room for waits until the broker reads, or is given up.
void ServiceEngine::send_all(Place& place) {
  while (place.protocol.next(frames_)) {
    if (place.socket->send(frames_) == SendResult::sent) continue;
    return place.protocol.put_back(std::move(frames_));
  }
}

void ServiceEngine::send_all() {
  for (Place& place : places_) send_all(place);
}

void ServiceEngine::leave() {
  close();
  send_all();
}

bool ServiceEngine::is_blocked() const {
  return std::any_of(places_.begin(), places_.end(), [](const Place& place) {
    return place.protocol.is_blocked() && may_be_heard(place);
  });
}

void ServiceEngine::close() {
  for (Place& place : places_) place.protocol.leave(context_.clock().now());
}

bool ServiceEngine::may_go() const {
  const TimePoint now = context_.clock().now();
  return !is_blocked() && std::all_of(places_.begin(), places_.end(), [&](const Place& place) {
    return place.protocol.may_go(now);
  });
}

/// Whether a broker is connected; of inproc no monitor tells.
bool ServiceEngine::may_be_heard(const Place& place) {
  const auto& peers = place.socket->peers();
  return place.broker.transport() == Transport::inproc ||
         std::any_of(peers.begin(), peers.end(), [](const PeerInfo& it) { return it.connected; });
}

void ServiceEngine::see_off(std::chrono::milliseconds longest) {
  const TimePoint end = after(std::chrono::steady_clock::now(), longest);
  for (Place& place : places_) {
    if (may_be_heard(place)) {
      place.socket->see_off(left_until(end, std::chrono::steady_clock::now()));
    } else {
      place.socket->close(milliseconds{0});
    }
  }
}

TimePoint ServiceEngine::add_to(SocketPoll& poll) {
  TimePoint until = maintain_at_;
  for (Place& place : places_) {
    poll.add(place.socket->raw().handle(),
             place.protocol.is_blocked() ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN);
    poll.add(place.socket->monitor().handle(), ZMQ_POLLIN);
    until = std::min(until, place.protocol.next_deadline());
  }
  return until;
}

void ServiceEngine::tell(ServiceWorkerLedger& ledger) const {
  ledger.malformed = 0;
  for (const Place& place : places_) ledger.malformed += place.protocol.malformed();
  ledger.registrations = registrations_;
  ledger.connections = trouble_.connections;
  ledger.handshake_failure = trouble_.handshake_failure;
  ledger.unresolved = trouble_.unresolved;
}

}  // namespace busbar::detail

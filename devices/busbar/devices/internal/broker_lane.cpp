#include "busbar/devices/internal/broker_lane.hpp"

#include <busbar/core/error.hpp>
#include <busbar/core/internal/frames.hpp>

namespace busbar::detail {

BrokerLane::BrokerLane(Hop& hop, const DeviceOptions& options, Socket& clients, Socket* workers)
    : hop_(hop),
      clients_(clients),
      workers_(workers),
      broker_(workers == nullptr ? Broker::Wire::majordomo : Broker::Wire::pirate,
              rules_of(options.workers), {hop_.frontend, hop_.backend, hop_.topics, hop_.requests},
              *this) {}

std::size_t BrokerLane::burst(TimePoint now, std::size_t most, bool takes) {
  const auto received = [this] { return hop_.frontend.received + hop_.backend.received; };
  const std::uint64_t before = received();
  broker_.set_open(takes);
  if (workers_ == nullptr) {
    serve_all(now, most);
  } else {
    serve_workers(now, most);
    if (takes) serve_clients(now, most);
  }
  if (broker_.next_deadline() <= now) broker_.on_time(now);
  return received() - before;
}

/// False: nothing is there. `frames_` is empty where what came was refused.
bool BrokerLane::receive(void* socket, SideLedger& book) {
  switch (receive_frames(socket, frames_, ZMQ_DONTWAIT)) {
    case Received::message:
      return true;
    case Received::too_many_frames:
      ++book.received;
      ++book[Cause::too_many_frames];
      return true;
    default:
      return false;
  }
}

void BrokerLane::serve_all(TimePoint now, std::size_t most) {
  void* const socket = clients_.raw().handle();
  const bool shows = hop_.tap && hop_.tap->watched();
  for (std::size_t i = 0; i < most && receive(socket, hop_.frontend); ++i) {
    if (frames_.empty()) continue;
    if (shows) {
      hop_.tap->show(frames_,
                     protocol::majordomo::role_of(frames_, 1) != protocol::majordomo::Role::worker);
    }
    broker_.on_message(frames_, now);
  }
}

void BrokerLane::serve_workers(TimePoint now, std::size_t most) {
  void* const socket = workers_->raw().handle();
  const bool shows = hop_.tap && hop_.tap->watched();
  for (std::size_t i = 0; i < most && receive(socket, hop_.backend); ++i) {
    if (frames_.empty()) continue;
    if (shows) hop_.tap->show(frames_, false);
    broker_.on_pirate(frames_, now);
  }
}

/// Through the stages, and only while a worker is free: so the clients feel it.
void BrokerLane::serve_clients(TimePoint now, std::size_t most) {
  void* const socket = clients_.raw().handle();
  for (std::size_t i = 0; i < most && broker_.has_free_worker(); ++i) {
    if (!receive(socket, hop_.frontend)) return;
    if (frames_.empty()) continue;
    Weight weight{frames_.bytes()};
    if (weight.bytes > limits::message_bytes + limits::header_bytes) {
      weight.received_by(hop_.frontend);
      ++hop_.frontend[Cause::too_large];
    } else if (hop_.forward(frames_, weight)) {
      broker_.on_pirate_request(frames_, now);
    }
  }
}

std::vector<std::string> BrokerLane::remains() const {
  std::vector<std::string> all;
  for (const auto& [service, requests] : broker_.unserved()) {
    all.push_back(std::to_string(requests) + (requests == 1 ? " request" : " requests") + " to '" +
                  printable(service) + "', which has no worker");
  }
  return all;
}

std::uint64_t BrokerLane::leave() {
  std::uint64_t abandoned = broker_.leave();
  void* const socket = clients_.raw().handle();
  const TimePoint end = std::chrono::steady_clock::now() + longest_abandon;
  while (std::chrono::steady_clock::now() < end && receive(socket, hop_.frontend)) {
    if (frames_.empty()) continue;
    // What workers still say is no request.
    if (workers_ == nullptr &&
        protocol::majordomo::role_of(frames_, 1) == protocol::majordomo::Role::worker) {
      continue;
    }
    Weight{frames_.bytes()}.received_by(hop_.frontend);
    ++hop_.frontend[Cause::abandoned];
    ++abandoned;
  }
  return abandoned;
}

BrokerLane::Result BrokerLane::to_client(Multipart& message) { return send(clients_, message); }

BrokerLane::Result BrokerLane::to_worker(Multipart& message) {
  return send(workers_ == nullptr ? clients_ : *workers_, message);
}

BrokerLane::Result BrokerLane::send(Socket& socket, Multipart& message) {
  void* const handle = socket.raw().handle();
  int error = send_frames(handle, message, ZMQ_DONTWAIT);
  if (error == EAGAIN) {
    hear_of_room(handle);
    error = send_frames(handle, message, ZMQ_DONTWAIT);
  }
  if (error == 0) return Result::sent;
  if (error == EPIPE) return Result::lost;
  return error == EHOSTUNREACH ? Result::gone : Result::full;
}

}  // namespace busbar::detail

#include "program/bench/roles.hpp"

#include <chrono>
#include <unistd.h>
#include <vector>

#include <zmq.hpp>

namespace busbar::program::bench {
namespace {

constexpr const char* anywhere = "tcp://127.0.0.1:*";

struct Types {
  zmq::socket_type source, frontend, backend, sink;
};

/// The source of a forwarder is an XPUB that waits for room: a PUB would drop most of a flood
/// before it has left its process.
Types types_of(DeviceKind kind) {
  using enum zmq::socket_type;
  switch (kind) {
    case DeviceKind::forwarder:
      return {xpub, xsub, xpub, sub};
    case DeviceKind::streamer:
      return {push, pull, push, pull};
    case DeviceKind::queue:
      return {dealer, router, dealer, dealer};
    case DeviceKind::services:  // measured by its own requests
      break;
  }
  return {push, pull, push, pull};
}

zmq::socket_type socket_type(SocketType type) {
  switch (type) {
    case SocketType::sub:
      return zmq::socket_type::sub;
    case SocketType::pull:
      return zmq::socket_type::pull;
    case SocketType::push:
      return zmq::socket_type::push;
    case SocketType::pub:
      return zmq::socket_type::pub;
    default:
      return zmq::socket_type::dealer;
  }
}

std::string bind_anywhere(zmq::socket_t& socket) {
  socket.bind(anywhere);
  return socket.get(zmq::sockopt::last_endpoint);
}

void connect_or_announce(zmq::socket_t& socket, const std::string& to, const Announce& announce) {
  if (to.empty())
    announce({bind_anywhere(socket)});
  else
    socket.connect(to);
}

[[noreturn]] void wait_to_be_killed() {
  while (true) ::pause();
}

}  // namespace

std::string name_of(Subject subject, DeviceKind kind) {
  switch (subject) {
    case Subject::direct:
      return "direct";
    case Subject::zmq_proxy:
      return "zmq_proxy";
    case Subject::device:
      return std::string{busbar::name_of(kind)};
  }
  return {};
}

void be_zmq_proxy(DeviceKind kind, const Announce& announce) {
  zmq::context_t context;
  zmq::socket_t frontend{context, types_of(kind).frontend};
  zmq::socket_t backend{context, types_of(kind).backend};
  // Without loss on either side: what is thrown away would count as speed, or as slowness.
  if (kind == DeviceKind::forwarder) backend.set(zmq::sockopt::xpub_nodrop, true);
  announce({bind_anywhere(frontend), bind_anywhere(backend)});
  zmq::proxy(frontend, backend);
  ::_exit(1);
}

void be_device(DeviceKind kind, bool paused, const Announce& announce) {
  Context context;
  Device device{context,
                kind,
                {.frontend = {.bind = {anywhere}},
                 .backend = {.bind = {anywhere}},
                 .overflow = Overflow::block}};
  announce({device.frontend().front().str(), device.backend().front().str()});
  if (paused) device.pause();
  const auto active = device.active();
  while (active->step(std::chrono::milliseconds{1000})) {
  }
  ::_exit(1);
}

void be_source(DeviceKind kind, const std::string& to, std::size_t size, Shared& shared) {
  zmq::context_t context;
  zmq::socket_t socket{context, types_of(kind).source};
  if (kind == DeviceKind::forwarder) socket.set(zmq::sockopt::xpub_nodrop, true);
  socket.connect(to);
  ++shared.ready;
  if (kind == DeviceKind::forwarder) {  // nothing goes out before there is a subscription
    zmq::message_t subscription;
    (void)socket.recv(subscription);
  }
  const std::vector<char> payload(size, 'x');
  while (true) {
    zmq::message_t message{payload.data(), payload.size()};
    (void)socket.send(message, zmq::send_flags::none);
  }
}

void be_sink(DeviceKind kind, const std::string& from, Shared& shared, const Announce& announce) {
  zmq::context_t context;
  zmq::socket_t socket{context, types_of(kind).sink};
  if (kind == DeviceKind::forwarder) socket.set(zmq::sockopt::subscribe, "");
  connect_or_announce(socket, from, announce);
  ++shared.ready;
  zmq::message_t message;
  for (std::uint64_t received = 0;;) {
    (void)socket.recv(message);
    if (message.more()) continue;
    shared.received.store(++received, std::memory_order_relaxed);
  }
}

void be_silent(SocketType type, const std::string& to, Shared& shared) {
  zmq::context_t context;
  zmq::socket_t socket{context, socket_type(type)};
  if (type == SocketType::sub) socket.set(zmq::sockopt::subscribe, "");
  socket.connect(to);
  ++shared.ready;
  wait_to_be_killed();
}

void be_requester(const std::string& to, std::size_t size, std::size_t rounds, Shared& shared) {
  using clock = std::chrono::steady_clock;
  const std::size_t warm_up = rounds / 10;
  const std::vector<char> payload(size, 'x');
  zmq::context_t context;
  zmq::socket_t socket{context, zmq::socket_type::req};
  socket.connect(to);
  for (std::size_t i = 0; i < warm_up + rounds; ++i) {
    const auto begin = clock::now();
    zmq::message_t message{payload.data(), payload.size()};
    (void)socket.send(message, zmq::send_flags::none);
    (void)socket.recv(message);
    const auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(clock::now() - begin);
    if (i >= warm_up) shared.nanoseconds[i - warm_up] = static_cast<std::uint64_t>(took.count());
  }
  shared.samples = rounds;
  wait_to_be_killed();
}

void be_replier(const std::string& from, Shared& shared, const Announce& announce) {
  zmq::context_t context;
  zmq::socket_t socket{context, zmq::socket_type::rep};
  connect_or_announce(socket, from, announce);
  ++shared.ready;
  zmq::message_t message;
  while (true) {
    (void)socket.recv(message);
    (void)socket.send(message, zmq::send_flags::none);
  }
}

}  // namespace busbar::program::bench

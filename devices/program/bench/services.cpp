#include "program/bench/services.hpp"

#include "program/bench/foreign/clients.hpp"
#include "program/bench/foreign/mdbroker.hpp"
#include "program/bench/process.hpp"
#include "program/bench/server.hpp"
#include "program/bench/waiting.hpp"

#include <optional>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <zmq.hpp>

#include <busbar/devices/device.hpp>

namespace busbar::program::bench {
namespace {

[[noreturn]] void be_services(std::uint32_t prefetch, const Announce& announce) {
  Context context;
  Services services{
      context, {.frontend = {.bind = {"tcp://127.0.0.1:*"}}, .workers = {.prefetch = prefetch}}};
  announce({services.frontend().front().str()});
  const auto active = services.active();
  while (active->step(std::chrono::milliseconds{1000})) {
  }
  ::_exit(1);
}

void put(zmq::socket_t& socket, std::string_view bytes, bool more) {
  zmq_send(socket.handle(), bytes.data(), bytes.size(), more ? ZMQ_SNDMORE : 0);
}

/// The frames of one message into the same slots again; their number, or 0 where none is there.
std::size_t take(zmq::socket_t& socket, std::vector<zmq::message_t>& frames, int flags) {
  std::size_t count = 0;
  while (true) {
    if (count == frames.size()) frames.emplace_back();
    if (zmq_msg_recv(frames[count].handle(), socket.handle(), flags) < 0) return 0;
    if (!frames[count++].more()) return count;
  }
}

/// Answers a request with itself. False: none is there.
bool work_once(zmq::socket_t& socket, std::vector<zmq::message_t>& frames) {
  const std::size_t size = take(socket, frames, ZMQ_DONTWAIT);
  if (size < 6) return size > 0;  // a heartbeat
  for (const std::string_view frame : {"", "MDPW01", "\3"}) put(socket, frame, true);
  for (std::size_t k = 3; k < size; ++k)
    zmq_msg_send(frames[k].handle(), socket.handle(), k + 1 < size ? ZMQ_SNDMORE : 0);
  return true;
}

/// One thread that polls its workers: stock DEALER sockets that speak MDP 0.1.
[[noreturn]] void be_workers(const std::string& broker, std::size_t count, Shared& shared) {
  zmq::context_t context;
  std::vector<zmq::socket_t> sockets;
  std::vector<zmq::pollitem_t> items;
  for (std::size_t i = 0; i < count; ++i) {
    zmq::socket_t& socket = sockets.emplace_back(context, zmq::socket_type::dealer);
    socket.connect(broker);
    for (const std::string_view frame : {"", "MDPW01", "\1"}) put(socket, frame, true);
    put(socket, "echo", false);
    items.push_back({socket.handle(), 0, ZMQ_POLLIN, 0});
  }
  ++shared.ready;
  std::vector<zmq::message_t> frames;
  auto beat_at = std::chrono::steady_clock::now();
  while (true) {
    // Waits only when all of them have nothing: polling so many sockets costs more than asking
    // them.
    bool worked = false;
    for (zmq::socket_t& socket : sockets) worked |= work_once(socket, frames);
    if (worked) continue;
    zmq::poll(items.data(), items.size(), std::chrono::milliseconds{1000});
    if (std::chrono::steady_clock::now() < beat_at) continue;
    beat_at = std::chrono::steady_clock::now() + std::chrono::seconds{1};
    for (zmq::socket_t& socket : sockets) {
      for (const std::string_view frame : {"", "MDPW01"}) put(socket, frame, true);
      put(socket, "\4", false);
    }
  }
}

/// Sends another request for each answer.
[[noreturn]] void be_client(const std::string& broker, std::size_t size, std::size_t in_flight,
                            Shared& shared) {
  zmq::context_t context;
  zmq::socket_t socket{context, zmq::socket_type::dealer};
  socket.connect(broker);
  const std::string payload(size, 'x');
  std::vector<zmq::message_t> frames;
  std::uint64_t received = 0;
  for (std::size_t free = in_flight;;) {
    for (; free > 0; --free) {
      for (const std::string_view frame : {"", "MDPC01", "echo"}) put(socket, frame, true);
      put(socket, payload, false);
    }
    if (take(socket, frames, 0) == 0) ::_exit(1);
    do {
      ++free;
      ++received;
    } while (take(socket, frames, ZMQ_DONTWAIT) > 0);
    shared.received.store(received, std::memory_order_relaxed);
  }
}

}  // namespace

std::string_view name_of(ServiceBroker broker) noexcept {
  switch (broker) {
    case ServiceBroker::services:
      return "services";
    case ServiceBroker::prefetch:
      return "services, prefetch 8";
    case ServiceBroker::mdbroker:
      return "mdbroker";
    case ServiceBroker::nats:
      return "nats";
  }
  return {};
}

std::string why_not(ServiceBroker broker) {
  if (broker != ServiceBroker::nats) return {};
#ifdef BUSBAR_WITH_NATS
  return Server::why_not("nats");
#else
  return "this busbar was built without libnats";
#endif
}

ServiceFigures measure_services(ServiceBroker broker, std::size_t size, const ServiceLoad& load,
                                std::chrono::milliseconds window) {
  SharedMemory shared;
  std::optional<Server> server;
  std::optional<Process> process;
  std::string address;
  if (broker == ServiceBroker::nats) {
    server.emplace("nats");
    address = server->address();
  } else {
    process.emplace([&](const Announce& announce) {
      if (broker == ServiceBroker::mdbroker) be_guide_broker(announce);
      be_services(broker == ServiceBroker::prefetch ? 8 : 1, announce);
    });
    address = process->endpoints().at(0);
  }
  Process workers{[&](const Announce&) {
#ifdef BUSBAR_WITH_NATS
    if (server) nats_requests.serve(address, load.workers, *shared);
#endif
    be_workers(address, load.workers, *shared);
  }};
  await("services", [&] { return shared->ready > 0; });
  Process client{[&](const Announce&) {
#ifdef BUSBAR_WITH_NATS
    if (server) nats_requests.ask(address, size, load.in_flight, *shared);
#endif
    be_client(address, size, load.in_flight, *shared);
  }};
  await("services", [&] { return shared->received > 0; });
  std::this_thread::sleep_for(window / 4);
  const double cpu_before = process ? process->cpu_seconds() : 0;
  const std::uint64_t before = shared->received;
  ServiceFigures figures{.requests_per_second = rate_of(shared->received, window)};
  const auto answered = static_cast<double>(shared->received - before);
  if (process && answered > 0)
    figures.cpu_us_per_request = (process->cpu_seconds() - cpu_before) * 1e6 / answered;
  return figures;
}

}  // namespace busbar::program::bench

#include "program/bench/reqrep.hpp"

#include "program/bench/foreign/clients.hpp"
#include "program/bench/process.hpp"
#include "program/bench/pubsub_roles.hpp"
#include "program/bench/roles.hpp"
#include "program/bench/server.hpp"
#include "program/bench/waiting.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <thread>
#include <unistd.h>
#include <vector>

#include <zmq.hpp>

#include <busbar/patterns/replier.hpp>
#include <busbar/patterns/requester.hpp>

namespace busbar::program::bench {
namespace {

using clock = std::chrono::steady_clock;
using Asked = std::function<void()>;

/// Where requests go in and come out.
struct Middle {
  std::optional<Process> process;
  std::optional<Server> server;
  std::string frontend;
  std::string backend;

  explicit Middle(Desk desk) {
    if (desk == Desk::nats) {
      server.emplace(name_of(desk));
      frontend = backend = server->address();
      return;
    }
    process.emplace([desk](const Announce& announce) {
      if (desk == Desk::zmq_proxy) be_zmq_proxy(DeviceKind::queue, announce);
      be_device(DeviceKind::queue, false, announce);
    });
    const std::vector<std::string> bound = process->endpoints();
    frontend = bound.at(0);
    backend = bound.at(1);
  }
};

bool has_stock_ends(Desk desk) { return desk == Desk::stock || desk == Desk::zmq_proxy; }

void be_desk(Desk desk, const std::string& from, Shared& shared) {
#ifdef BUSBAR_WITH_NATS
  if (desk == Desk::nats) return nats_requests.serve(from, 1, shared);
#endif
  if (has_stock_ends(desk)) be_replier(from, shared, {});
  Context context;
  Replier replier{context, {.connect = {from}}};
  replier.on("echo", [](std::string_view text) { return text; });
  ++shared.ready;
  replier.serve();
}

void ask_busbar(std::uint32_t batch, const std::string& to, const std::string& payload,
                std::size_t in_flight, const Asked& asked) {
  Context context;
  Requester requester{context, {.connect = {to}, .batch_messages = batch}};
  const RequestOptions patient{.deadline = std::chrono::minutes{1}};
  std::deque<PendingReply> out;
  while (true) {
    while (out.size() < in_flight) out.push_back(requester.request("echo", payload, patient));
    if (!out.front().get().ok()) ::_exit(1);
    out.pop_front();
    asked();
  }
}

void ask_stock(const std::string& to, const std::string& payload, std::size_t in_flight,
               const Asked& asked) {
  zmq::context_t context;
  zmq::socket_t socket{context, zmq::socket_type::dealer};
  socket.connect(to);
  std::size_t out = 0;
  zmq::message_t message;
  while (true) {
    for (; out < in_flight; ++out) {
      (void)socket.send(zmq::message_t{}, zmq::send_flags::sndmore);
      (void)socket.send(zmq::message_t{payload.data(), payload.size()}, zmq::send_flags::none);
    }
    do (void)socket.recv(message);
    while (message.more());
    --out;
    asked();
  }
}

void be_asker(Desk desk, const std::string& to, std::size_t size, std::size_t in_flight,
              std::size_t rounds, Shared& shared) {
  const std::string payload(size, 'x');
  const std::size_t warm_up = rounds / 10;
  std::size_t done = 0;
  auto begin = clock::now();
  const Asked asked = [&] {
    shared.received.store(++done, std::memory_order_relaxed);
    if (rounds == 0) return;
    const auto now = clock::now();
    if (done > warm_up && done <= warm_up + rounds)
      shared.nanoseconds[done - warm_up - 1] = static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(now - begin).count());
    if (done == warm_up + rounds) shared.samples = rounds;
    begin = now;
  };
#ifdef BUSBAR_WITH_NATS
  if (desk == Desk::nats) return nats_requests.ask(to, size, in_flight, shared);
#endif
  if (has_stock_ends(desk)) return ask_stock(to, payload, in_flight, asked);
  ask_busbar(desk == Desk::batched ? 32 : 1, to, payload, in_flight, asked);
}

}  // namespace

std::string_view name_of(Desk desk) noexcept {
  switch (desk) {
    case Desk::busbar:
      return "busbar";
    case Desk::batched:
      return "batched";
    case Desk::stock:
      return "stock ends";
    case Desk::zmq_proxy:
      return "zmq_proxy";
    case Desk::nats:
      return "nats";
  }
  return {};
}

std::string why_not(Desk desk) { return desk == Desk::nats ? why_not(Carrier::nats) : ""; }

double measure_round_trips(Desk desk, std::size_t size, std::size_t in_flight,
                           std::chrono::milliseconds window) {
  SharedMemory shared;
  Middle middle{desk};
  Process server{[&](const Announce&) { be_desk(desk, middle.backend, *shared); }};
  await("reqrep", [&] { return shared->ready > 0; });
  Process client{
      [&](const Announce&) { be_asker(desk, middle.frontend, size, in_flight, 0, *shared); }};
  await("reqrep", [&] { return shared->received > 0; });
  std::this_thread::sleep_for(window / 4);
  return rate_of(shared->received, window);
}

Latency measure_round_trip(Desk desk, std::size_t size, std::size_t rounds) {
  SharedMemory shared;
  Middle middle{desk};
  Process server{[&](const Announce&) { be_desk(desk, middle.backend, *shared); }};
  await("reqrep", [&] { return shared->ready > 0; });
  Process client{
      [&](const Announce&) { be_asker(desk, middle.frontend, size, 1, rounds, *shared); }};
  await("reqrep", [&] { return shared->samples == rounds; });
  std::vector<std::uint64_t> times(shared->nanoseconds, shared->nanoseconds + rounds);
  std::sort(times.begin(), times.end());
  const auto at = [&](std::size_t percent) {
    return static_cast<double>(times[times.size() * percent / 100]) / 1000;
  };
  return {at(50), at(99)};
}

}  // namespace busbar::program::bench

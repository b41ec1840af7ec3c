#include "program/bench/trial.hpp"

#include "program/bench/waiting.hpp"

#include <algorithm>
#include <optional>
#include <thread>
#include <vector>

namespace busbar::program::bench {
namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

double seconds_since(clock::time_point begin) {
  return std::chrono::duration<double>(clock::now() - begin).count();
}

/// The process in the middle, where there is one, and what it announced.
struct Middle {
  std::optional<Process> process;
  std::string frontend;
  std::string backend;

  Middle(DeviceKind kind, Subject subject, bool paused = false) {
    if (subject == Subject::direct) return;
    process.emplace([=](const Announce& announce) {
      if (subject == Subject::zmq_proxy) be_zmq_proxy(kind, announce);
      be_device(kind, paused, announce);
    });
    const std::vector<std::string> bound = process->endpoints();
    frontend = bound.at(0);
    backend = bound.at(1);
  }
  double cpu_seconds() const { return process ? process->cpu_seconds() : 0; }
};

}  // namespace

Throughput measure_throughput(DeviceKind kind, Subject subject, std::size_t size,
                              milliseconds window) {
  SharedMemory shared;
  Middle middle{kind, subject};
  Process sink{[&](const Announce& announce) { be_sink(kind, middle.backend, *shared, announce); }};
  const std::string to = subject == Subject::direct ? sink.endpoints().at(0) : middle.frontend;
  Process source{[&](const Announce&) { be_source(kind, to, size, *shared); }};
  await("throughput", [&] { return shared->received > 0; });
  std::this_thread::sleep_for(window / 4);  // caches and queues fill

  const auto begin = clock::now();
  const std::uint64_t received_before = shared->received;
  const double cpu_before = middle.cpu_seconds();
  std::this_thread::sleep_for(window);
  const double took = seconds_since(begin);
  const auto received = static_cast<double>(shared->received - received_before);
  const double cpu = middle.cpu_seconds() - cpu_before;
  if (received <= 0) return {};
  return {received / took, cpu / (received / 1e6)};
}

Latency measure_latency(Subject subject, std::size_t size, std::size_t rounds) {
  rounds = std::min(rounds, Shared::samples_max);
  SharedMemory shared;
  Middle middle{DeviceKind::queue, subject};
  Process replier{[&](const Announce& announce) { be_replier(middle.backend, *shared, announce); }};
  const std::string to = subject == Subject::direct ? replier.endpoints().at(0) : middle.frontend;
  Process requester{[&](const Announce&) { be_requester(to, size, rounds, *shared); }};
  await("latency", [&] { return shared->samples == rounds; });
  std::vector<std::uint64_t> times(shared->nanoseconds, shared->nanoseconds + rounds);
  std::sort(times.begin(), times.end());
  const auto at = [&](std::size_t percent) {
    return static_cast<double>(times[times.size() * percent / 100]) / 1000;
  };
  return {at(50), at(99)};
}

double measure_idle(DeviceKind kind, Subject subject, Idling idling, milliseconds window) {
  SharedMemory shared;
  Middle middle{kind, subject, idling == Idling::paused};
  const SocketType reader = kind == DeviceKind::forwarder  ? SocketType::sub
                            : kind == DeviceKind::streamer ? SocketType::pull
                                                           : SocketType::dealer;
  const SocketType writer = kind == DeviceKind::forwarder  ? SocketType::pub
                            : kind == DeviceKind::streamer ? SocketType::push
                                                           : SocketType::dealer;
  Process receiver{[&](const Announce&) { be_silent(reader, middle.backend, *shared); }};
  Process sender{[&](const Announce&) {
    if (idling == Idling::idle) be_silent(writer, middle.frontend, *shared);
    be_source(kind, middle.frontend, 4096, *shared);
  }};
  await("idle", [&] { return shared->ready == 2; });
  std::this_thread::sleep_for(window);  // until all queues are full
  const auto begin = clock::now();
  const double before = middle.cpu_seconds();
  std::this_thread::sleep_for(window);
  return 100 * (middle.cpu_seconds() - before) / seconds_since(begin);
}

}  // namespace busbar::program::bench

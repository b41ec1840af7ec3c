#include "program/bench/pushpull.hpp"

#include "program/bench/process.hpp"
#include "program/bench/roles.hpp"
#include "program/bench/waiting.hpp"

#include <bit>
#include <string>
#include <thread>
#include <unistd.h>

#include <busbar/patterns/puller.hpp>
#include <busbar/patterns/pusher.hpp>

namespace busbar::program::bench {
namespace {

constexpr std::chrono::seconds longest{60};
constexpr std::uint32_t credit = 10'000;  // enough for whole batches on their way

void be_pusher(WorkCarrier carrier, const std::string& to, std::size_t size) {
  Context context;
  PusherOptions options{.connect = {to}};
  options.acknowledge = carrier != WorkCarrier::unacknowledged;
  if (carrier == WorkCarrier::unbatched) options.batch_bytes = 0;
  Pusher pusher{context, options};
  const std::string payload(size, 'x');
  while (pusher.push(payload, {.timeout = longest}) == SendResult::sent) {
  }
  ::_exit(1);
}

void be_puller(Shared& shared, const Announce& announce) {
  Context context;
  Puller puller{context, {.bind = {"tcp://127.0.0.1:*"}, .credit = credit}};
  announce({puller.bound().front().str()});
  std::uint64_t received = 0;
  for (Work& work : puller.work()) {
    work.done();
    shared.received.store(++received, std::memory_order_relaxed);
  }
  ::_exit(1);
}

}  // namespace

std::string_view name_of(WorkCarrier carrier) noexcept {
  switch (carrier) {
    case WorkCarrier::batched:
      return "batched";
    case WorkCarrier::unacknowledged:
      return "batched, no ack";
    case WorkCarrier::unbatched:
      return "unbatched";
    case WorkCarrier::stock:
      return "PUSH/PULL";
  }
  return {};
}

double measure_pushpull(WorkCarrier carrier, std::size_t size, std::chrono::milliseconds window) {
  const bool stock = carrier == WorkCarrier::stock;
  SharedMemory shared;
  Process sink{[&](const Announce& announce) {
    if (stock) be_sink(DeviceKind::streamer, "", *shared, announce);
    be_puller(*shared, announce);
  }};
  const std::string to = sink.endpoints().at(0);
  Process source{[&](const Announce&) {
    if (stock) be_source(DeviceKind::streamer, to, size, *shared);
    be_pusher(carrier, to, size);
  }};
  await("pushpull", [&] { return shared->received > 0; });
  std::this_thread::sleep_for(window / 4);
  return rate_of(shared->received, window);
}

UnequalWorkers measure_unequal_workers_apart(int jobs) {
  SharedMemory shared;
  Process all{[&](const Announce&) {
    const UnequalWorkers measured = measure_unequal_workers(jobs);
    const double figures[]{measured.ideal.count(), measured.by_credit, measured.round_robin};
    for (std::size_t i = 0; i < 3; ++i)
      shared->nanoseconds[i] = std::bit_cast<std::uint64_t>(figures[i]);
    shared->samples = 3;
    while (true) ::pause();
  }};
  await("unequal workers", [&] { return shared->samples == 3; });
  const auto figure = [&](std::size_t i) { return std::bit_cast<double>(shared->nanoseconds[i]); };
  return {.ideal = std::chrono::duration<double, std::milli>{figure(0)},
          .by_credit = figure(1),
          .round_robin = figure(2)};
}

}  // namespace busbar::program::bench

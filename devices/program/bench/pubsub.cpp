#include "program/bench/pubsub.hpp"

#include "program/bench/process.hpp"
#include "program/bench/pubsub_roles.hpp"
#include "program/bench/server.hpp"
#include "program/bench/waiting.hpp"

#include <algorithm>
#include <optional>
#include <thread>

namespace busbar::program::bench {
namespace {

bool is_foreign(Carrier carrier) {
  return carrier == Carrier::nats || carrier == Carrier::mosquitto;
}

/// Where publishers and subscribers connect to.
struct Middle {
  std::optional<Process> process;
  std::optional<Server> server;
  std::string frontend;
  std::string backend;

  explicit Middle(Carrier carrier) {
    if (is_foreign(carrier)) {
      server.emplace(name_of(carrier));
      frontend = backend = server->address();
      return;
    }
    process.emplace([=](const Announce& announce) { be_pubsub_middle(carrier, announce); });
    const std::vector<std::string> bound = process->endpoints();
    frontend = bound.at(0);
    backend = bound.at(1);
  }
};

}  // namespace

std::string_view name_of(Carrier carrier) noexcept {
  switch (carrier) {
    case Carrier::batched:
      return "batched";
    case Carrier::unbatched:
      return "unbatched";
    case Carrier::zmq_proxy:
      return "zmq_proxy";
    case Carrier::nats:
      return "nats";
    case Carrier::mosquitto:
      return "mosquitto";
  }
  return {};
}

std::string why_not(Carrier carrier) {
  if (!is_foreign(carrier)) return {};
  if (const std::string library = missing_client(carrier); !library.empty()) {
    return "this busbar was built without " + library;
  }
  return Server::why_not(name_of(carrier));
}

double measure_pubsub(Carrier carrier, std::size_t size, std::size_t subscribers,
                      std::chrono::milliseconds window) {
  SharedMemory shared;
  Middle middle{carrier};
  Process sink{
      [&](const Announce&) { be_subscribers(carrier, middle.backend, subscribers, *shared); }};
  await("pubsub", [&] { return shared->ready > 0; });
  Process source{
      [&](const Announce&) { be_publisher(carrier, middle.frontend, size, subscribers); }};
  await("pubsub", [&] { return shared->received > 0; });
  std::this_thread::sleep_for(window / 4);
  return rate_of(shared->received, window) / static_cast<double>(subscribers);
}

OneWay measure_lone_message(bool stock, std::size_t size, std::size_t messages) {
  messages = std::min(messages, Shared::samples_max);
  SharedMemory shared;
  Process publisher{[&](const Announce& announce) { be_lone_publisher(stock, size, announce); }};
  const std::string from = publisher.endpoints().at(0);
  Process subscriber{[&](const Announce&) { be_lone_subscriber(stock, from, messages, *shared); }};
  await("lone messages", [&] { return shared->samples == messages; });
  std::vector<std::uint64_t> times(shared->nanoseconds, shared->nanoseconds + messages);
  std::sort(times.begin(), times.end());
  const auto at = [&](std::size_t percent) {
    return static_cast<double>(times[times.size() * percent / 100]) / 1000;
  };
  return {at(50), at(99)};
}

}  // namespace busbar::program::bench

// Throughput, latency and idleness of devices beside zmq_proxy and a direct connection.
#include "program/bench/tables/tables.hpp"
#include "program/bench/trial.hpp"

#include <algorithm>
#include <utility>

namespace busbar::program::bench {
namespace {

std::vector<Subject> subjects(const Options& options) {
  std::vector<Subject> all;
  if (names(options.against, "direct")) all.push_back(Subject::direct);
  if (names(options.against, "zmq_proxy")) all.push_back(Subject::zmq_proxy);
  all.push_back(Subject::device);
  return all;
}

std::vector<DeviceKind> devices(const Options& options) {
  std::vector<DeviceKind> all;
  for (const DeviceKind kind : {DeviceKind::forwarder, DeviceKind::streamer, DeviceKind::queue})
    if (names(options.devices, name_of(kind))) all.push_back(kind);
  return all;
}

/// The device, and its ratios to what it stands against.
struct Against {
  Spread own, proxy, direct;
  explicit Against(const std::map<Subject, Series>& series)
      : own(spread(series, Subject::device)),
        proxy(ratio(series, Subject::device, Subject::zmq_proxy)),
        direct(ratio(series, Subject::device, Subject::direct)) {}
  nlohmann::json json() const { return {{"zmq_proxy", proxy.json()}, {"direct", direct.json()}}; }
};

void throughput(Run& run) {
  const Options& options = run.options();
  Table table{{"device", "bytes", "messages/s", "of zmq_proxy", "of direct", "CPU s/million",
               "zmq_proxy's", "ratio"}};
  for (const DeviceKind kind : devices(options))
    for (const std::size_t size : options.sizes) {
      const auto all = alternate(run, subjects(options), [&](Subject subject) {
        return measure_throughput(kind, subject, size, options.window);
      });
      const Against rate{pick(all, &Throughput::messages_per_second)};
      const auto spent = pick(all, &Throughput::cpu_seconds_per_million);
      const Against cpu{spent};
      const Spread proxy_cpu = spread(spent, Subject::zmq_proxy);
      table.add({std::string{name_of(kind)}, std::to_string(size), rate.own.str("%.0f"),
                 rate.proxy.str(), rate.direct.str(), cpu.own.str("%.3f"), proxy_cpu.str("%.3f"),
                 cpu.proxy.str()});
      run.report("throughput")
          .push_back({{"device", name_of(kind)},
                      {"bytes", size},
                      {"messages_per_second", rate.own.json()},
                      {"ratio", rate.json()},
                      {"cpu_seconds_per_million", cpu.own.json()},
                      {"zmq_proxy_cpu_seconds_per_million", proxy_cpu.json()},
                      {"cpu_ratio", cpu.proxy.json()}});
    }
  run.show("Throughput: median of the pairs' ratios (lowest to highest)", table);
}

void latency(Run& run) {
  const Options& options = run.options();
  Table table{{"device", "bytes", "p50 us", "of zmq_proxy", "of direct", "p99 us", "of zmq_proxy"}};
  for (const std::size_t size : options.sizes) {
    const auto all = alternate(run, subjects(options), [&](Subject subject) {
      return measure_latency(subject, size, options.rounds);
    });
    const Against p50{pick(all, &Latency::p50_us)};
    const Against p99{pick(all, &Latency::p99_us)};
    table.add({"queue", std::to_string(size), p50.own.str("%.0f"), p50.proxy.str(),
               p50.direct.str(), p99.own.str("%.0f"), p99.proxy.str()});
    run.report("latency").push_back({{"device", "queue"},
                                     {"bytes", size},
                                     {"p50_us", p50.own.json()},
                                     {"p50_ratio", p50.json()},
                                     {"p99_us", p99.own.json()},
                                     {"p99_ratio", p99.json()}});
  }
  run.show("Round trips: REQ and REP through a queue proxy", table);
}

/// A forwarder drops for a subscriber that does not read.
bool can_block(DeviceKind kind) { return kind != DeviceKind::forwarder; }

void idle(Run& run) {
  const Options& options = run.options();
  Table table{{"device", "state", "% of a core", "zmq_proxy's"}};
  for (const DeviceKind kind : devices(options))
    for (const auto& [state, name] : {std::pair{Idling::idle, "idle"},
                                      {Idling::paused, "paused"},
                                      {Idling::blocked, "blocked"}}) {
      if (state == Idling::blocked && !can_block(kind)) continue;
      const auto window = std::max(options.window, std::chrono::milliseconds{1});
      const double ours = measure_idle(kind, Subject::device, state, window);
      const bool comparable = state != Idling::paused;  // zmq_proxy has no such thing
      const double theirs = comparable ? measure_idle(kind, Subject::zmq_proxy, state, window) : 0;
      run.advance(2);
      table.add({std::string{name_of(kind)}, name, Spread{{ours}}.str("%.2f"),
                 comparable ? Spread{{theirs}}.str("%.2f") : "-"});
      nlohmann::json row{{"device", name_of(kind)}, {"state", name}, {"percent", ours}};
      if (comparable) row["zmq_proxy_percent"] = theirs;
      run.report("idle").push_back(row);
    }
  run.show("CPU with nothing to move", table);
}

std::size_t rounds(const Options& options) {
  return options.pairs * subjects(options).size() * options.sizes.size();
}

}  // namespace

Measurement throughput_table() {
  return {"throughput",
          [](const Options& options) { return rounds(options) * devices(options).size(); },
          throughput};
}
Measurement latency_table() { return {"latency", rounds, latency}; }
Measurement idle_table() {
  return {"idle",
          [](const Options& options) {
            std::size_t all = 0;
            for (const DeviceKind kind : devices(options)) all += can_block(kind) ? 6 : 4;
            return all;
          },
          idle};
}

}  // namespace busbar::program::bench

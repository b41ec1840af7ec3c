#include "program/bench/bench.hpp"

#include "program/bench/peers.hpp"
#include "program/bench/process.hpp"
#include "program/bench/pubsub.hpp"
#include "program/bench/pushpull.hpp"
#include "program/bench/report.hpp"
#include "program/bench/reqrep.hpp"
#include "program/bench/services.hpp"
#include "program/bench/trial.hpp"
#include "program/command.hpp"
#include "program/progress.hpp"
#include "program/show.hpp"

#include <algorithm>
#include <array>
#include <iostream>
#include <map>
#include <utility>

#include <nlohmann/json.hpp>

namespace busbar::program::bench {
namespace {

bool has(const std::vector<std::string>& words, const std::string& word) {
  return words.empty() || std::find(words.begin(), words.end(), word) != words.end();
}

std::vector<Subject> subjects(const Options& options) {
  std::vector<Subject> all;
  if (has(options.against, "direct")) all.push_back(Subject::direct);
  if (has(options.against, "zmq_proxy")) all.push_back(Subject::zmq_proxy);
  all.push_back(Subject::device);
  return all;
}

std::vector<DeviceKind> devices(const Options& options) {
  std::vector<DeviceKind> all;
  for (const DeviceKind kind : {DeviceKind::forwarder, DeviceKind::streamer, DeviceKind::queue})
    if (has(options.devices, std::string{name_of(kind)})) all.push_back(kind);
  return all;
}

/// What can be measured of what was asked for; the rest is said on stderr once.
std::vector<Carrier> carriers(const Options& options) {
  std::vector<Carrier> all{Carrier::batched, Carrier::unbatched};
  for (const Carrier carrier : {Carrier::zmq_proxy, Carrier::nats, Carrier::mosquitto}) {
    if (has(options.against, std::string{name_of(carrier)}) && why_not(carrier).empty())
      all.push_back(carrier);
  }
  return all;
}

std::vector<ServiceBroker> service_brokers(const Options& options) {
  std::vector<ServiceBroker> all{ServiceBroker::services, ServiceBroker::mdbroker};
  if (has(options.against, "nats") && why_not(ServiceBroker::nats).empty())
    all.push_back(ServiceBroker::nats);
  return all;
}

std::vector<Desk> desks(const Options& options) {
  std::vector<Desk> all{Desk::busbar};
  for (const Desk desk : {Desk::zmq_proxy, Desk::nats}) {
    if (has(options.against, std::string{name_of(desk)}) && why_not(desk).empty())
      all.push_back(desk);
  }
  return all;
}

/// Figures of one subject, one for each pair.
using Series = std::vector<double>;

/// `measure` is called for each subject in turn, again and again: A B C A B C ….
template <class Measure>
std::array<std::vector<decltype(std::declval<Measure>()(Subject::direct))>, 3> alternate(
    const Options& options, Measure measure) {
  std::array<std::vector<decltype(measure(Subject::direct))>, 3> all;
  for (std::size_t pair = 0; pair < options.pairs; ++pair)
    for (const Subject subject : subjects(options))
      all[static_cast<std::size_t>(subject)].push_back(measure(subject));
  return all;
}

template <class Figures, class Member>
std::array<Series, 3> pick(const std::array<std::vector<Figures>, 3>& all, Member member) {
  std::array<Series, 3> series;
  for (std::size_t i = 0; i < series.size(); ++i)
    for (const Figures& figures : all[i]) series[i].push_back(figures.*member);
  return series;
}

/// Ratios of the device to what it stands against.
struct Against {
  Spread proxy, direct;
  explicit Against(const std::array<Series, 3>& series)
      : proxy(ratios(series[2], series[1])), direct(ratios(series[2], series[0])) {}
  nlohmann::json json() const { return {{"zmq_proxy", proxy.json()}, {"direct", direct.json()}}; }
};

class Bench {
 public:
  explicit Bench(const Options& options)
      : options_(options), progress_("bench", trials(), options.progress) {}

  int run() {
    if (has(options_.what, "throughput")) throughput();
    if (has(options_.what, "latency")) latency();
    if (has(options_.what, "idle")) idle();
    if (has(options_.what, "pubsub")) pubsub();
    if (has(options_.what, "lone")) lone_message();
    if (has(options_.what, "pushpull")) pushpull();
    if (has(options_.what, "services")) services();
    if (asked_for_peers()) peers();
    if (has(options_.what, "reqrep")) reqrep();
    if (options_.json) std::cout << line(report_);
    std::cout << std::flush;
    return exit_ok;
  }

 private:
  std::size_t trials() const {
    const std::size_t each = options_.pairs * subjects(options_).size();
    std::size_t all = 0;
    if (has(options_.what, "throughput"))
      all += each * devices(options_).size() * options_.sizes.size();
    if (has(options_.what, "latency")) all += each * options_.sizes.size();
    if (has(options_.what, "idle")) all += 6 * devices(options_).size();
    if (has(options_.what, "pubsub"))
      all += options_.pairs * options_.sizes.size() * carriers(options_).size();
    if (has(options_.what, "lone")) all += 2 * options_.pairs;
    if (has(options_.what, "pushpull")) all += options_.pairs * (4 * options_.sizes.size() + 1);
    if (has(options_.what, "services"))
      all += options_.pairs * options_.sizes.size() * service_brokers(options_).size();
    if (asked_for_peers()) all += 2 * options_.pairs;
    if (has(options_.what, "reqrep"))
      all += 2 * options_.pairs * options_.sizes.size() * desks(options_).size();
    return all;
  }
  /// Seconds for each trial: only where it is named.
  bool asked_for_peers() const { return !options_.what.empty() && has(options_.what, "peers"); }

  void show(const char* title, const Table& table) {
    if (!options_.json) std::cout << title << '\n' << table.str() << '\n' << std::flush;
  }

  void throughput();
  void latency();
  void idle();
  void pubsub();
  void lone_message();
  void pushpull();
  void unequal_workers();
  void services();
  void peers();
  void reqrep();

  const Options& options_;
  Progress progress_;
  std::size_t done_ = 0;
  nlohmann::json report_ = nlohmann::json::object();
};

void Bench::throughput() {
  Table table{{"device", "bytes", "messages/s", "of zmq_proxy", "of direct", "CPU s/million",
               "zmq_proxy's", "ratio"}};
  for (const DeviceKind kind : devices(options_))
    for (const std::size_t size : options_.sizes) {
      const auto all = alternate(options_, [&](Subject subject) {
        const auto figures = measure_throughput(kind, subject, size, options_.window);
        progress_.at(++done_);
        return figures;
      });
      const auto rates = pick(all, &Throughput::messages_per_second);
      const auto cpu = pick(all, &Throughput::cpu_seconds_per_million);
      const Against rate{rates};
      const Spread cpu_ratio{ratios(cpu[2], cpu[1])};
      table.add({std::string{name_of(kind)}, std::to_string(size), Spread{rates[2]}.str("%.0f"),
                 rate.proxy.str(), rate.direct.str(), Spread{cpu[2]}.str("%.3f"),
                 Spread{cpu[1]}.str("%.3f"), cpu_ratio.str()});
      report_["throughput"].push_back({{"device", name_of(kind)},
                                       {"bytes", size},
                                       {"messages_per_second", Spread{rates[2]}.json()},
                                       {"ratio", rate.json()},
                                       {"cpu_seconds_per_million", Spread{cpu[2]}.json()},
                                       {"zmq_proxy_cpu_seconds_per_million", Spread{cpu[1]}.json()},
                                       {"cpu_ratio", cpu_ratio.json()}});
    }
  show("Throughput: median of the pairs' ratios (lowest to highest)", table);
}

void Bench::latency() {
  Table table{{"device", "bytes", "p50 us", "of zmq_proxy", "of direct", "p99 us", "of zmq_proxy"}};
  for (const std::size_t size : options_.sizes) {
    const auto all = alternate(options_, [&](Subject subject) {
      const auto figures = measure_latency(subject, size, options_.rounds);
      progress_.at(++done_);
      return figures;
    });
    const auto p50 = pick(all, &Latency::p50_us);
    const auto p99 = pick(all, &Latency::p99_us);
    const Against middle{p50};
    const Against tail{p99};
    table.add({"queue", std::to_string(size), Spread{p50[2]}.str("%.0f"), middle.proxy.str(),
               middle.direct.str(), Spread{p99[2]}.str("%.0f"), tail.proxy.str()});
    report_["latency"].push_back({{"device", "queue"},
                                  {"bytes", size},
                                  {"p50_us", Spread{p50[2]}.json()},
                                  {"p50_ratio", middle.json()},
                                  {"p99_us", Spread{p99[2]}.json()},
                                  {"p99_ratio", tail.json()}});
  }
  show("Round trips: REQ and REP through a queue proxy", table);
}

void Bench::idle() {
  Table table{{"device", "state", "% of a core", "zmq_proxy's"}};
  for (const DeviceKind kind : devices(options_))
    for (const auto& [state, name] : {std::pair{Idling::idle, "idle"},
                                      {Idling::paused, "paused"},
                                      {Idling::blocked, "blocked"}}) {
      // A forwarder drops for a subscriber that does not read, so it is never blocked.
      if (state == Idling::blocked && kind == DeviceKind::forwarder) continue;
      const auto window = std::max(options_.window, std::chrono::milliseconds{1});
      const double ours = measure_idle(kind, Subject::device, state, window);
      const bool comparable = state != Idling::paused;  // zmq_proxy has no such thing
      const double theirs = comparable ? measure_idle(kind, Subject::zmq_proxy, state, window) : 0;
      progress_.at(done_ += 2);
      table.add({std::string{name_of(kind)}, name, Spread{{ours}}.str("%.2f"),
                 comparable ? Spread{{theirs}}.str("%.2f") : "-"});
      nlohmann::json row{{"device", name_of(kind)}, {"state", name}, {"percent", ours}};
      if (comparable) row["zmq_proxy_percent"] = theirs;
      report_["idle"].push_back(row);
    }
  show("CPU with nothing to move", table);
}

void Bench::pubsub() {
  for (const Carrier carrier : {Carrier::nats, Carrier::mosquitto}) {
    const bool asked = has(options_.against, std::string{name_of(carrier)});
    if (const std::string reason = why_not(carrier); asked && !reason.empty())
      std::cerr << "bench: no figures of " << name_of(carrier) << ": " << reason << '\n';
  }
  Table table{
      {"carrier", "subscribers", "bytes", "messages/s", "of zmq_proxy", "of nats", "of mosquitto"}};
  for (const std::size_t size : options_.sizes) {
    std::map<Carrier, Series> rates;
    for (std::size_t pair = 0; pair < options_.pairs; ++pair)
      for (const Carrier carrier : carriers(options_)) {
        rates[carrier].push_back(
            measure_pubsub(carrier, size, options_.subscribers, options_.window));
        progress_.at(++done_);
      }
    for (const auto& [carrier, series] : rates) {
      const auto of = [&, &ours = series](Carrier other) {
        return Spread{ratios(ours, rates[other])};
      };
      table.add({std::string{name_of(carrier)}, std::to_string(options_.subscribers),
                 std::to_string(size), Spread{series}.str("%.0f"), of(Carrier::zmq_proxy).str(),
                 of(Carrier::nats).str(), of(Carrier::mosquitto).str()});
      report_["pubsub"].push_back({{"carrier", name_of(carrier)},
                                   {"subscribers", options_.subscribers},
                                   {"bytes", size},
                                   {"messages_per_second", Spread{series}.json()},
                                   {"ratio",
                                    {{"zmq_proxy", of(Carrier::zmq_proxy).json()},
                                     {"nats", of(Carrier::nats).json()},
                                     {"mosquitto", of(Carrier::mosquitto).json()}}}});
    }
  }
  show("Publish/subscribe through a process in the middle, nothing dropped", table);
}

void Bench::lone_message() {
  Table table{{"bytes", "p50 us", "of PUB/SUB", "p99 us", "of PUB/SUB"}};
  std::array<std::vector<OneWay>, 2> all;
  constexpr std::size_t size = 64;
  for (std::size_t pair = 0; pair < options_.pairs; ++pair)
    for (const bool stock : {false, true}) {
      all[stock ? 1 : 0].push_back(measure_lone_message(stock, size, options_.rounds));
      progress_.at(++done_);
    }
  const auto series = [&](std::size_t i, double OneWay::*member) {
    Series picked;
    for (const OneWay& one : all[i]) picked.push_back(one.*member);
    return picked;
  };
  const Series p50 = series(0, &OneWay::p50_us);
  const Series p99 = series(0, &OneWay::p99_us);
  const Spread middle{ratios(p50, series(1, &OneWay::p50_us))};
  const Spread tail{ratios(p99, series(1, &OneWay::p99_us))};
  table.add({std::to_string(size), Spread{p50}.str("%.0f"), middle.str(), Spread{p99}.str("%.0f"),
             tail.str()});
  report_["lone_message"] = {{"bytes", size},
                             {"p50_us", Spread{p50}.json()},
                             {"p50_ratio", middle.json()},
                             {"p99_us", Spread{p99}.json()},
                             {"p99_ratio", tail.json()}};
  show("A lone message, direct, batching on", table);
}

void Bench::pushpull() {
  Table table{{"carrier", "bytes", "messages/s", "of PUSH/PULL"}};
  constexpr std::array carriers{WorkCarrier::batched, WorkCarrier::unacknowledged,
                                WorkCarrier::unbatched, WorkCarrier::stock};
  for (const std::size_t size : options_.sizes) {
    std::map<WorkCarrier, Series> rates;
    for (std::size_t pair = 0; pair < options_.pairs; ++pair)
      for (const WorkCarrier carrier : carriers) {
        rates[carrier].push_back(measure_pushpull(carrier, size, options_.window));
        progress_.at(++done_);
      }
    for (const WorkCarrier carrier : carriers) {
      const Spread ratio{ratios(rates[carrier], rates[WorkCarrier::stock])};
      table.add({std::string{name_of(carrier)}, std::to_string(size),
                 Spread{rates[carrier]}.str("%.0f"), ratio.str()});
      report_["pushpull"].push_back({{"carrier", name_of(carrier)},
                                     {"bytes", size},
                                     {"messages_per_second", Spread{rates[carrier]}.json()},
                                     {"ratio", ratio.json()}});
    }
  }
  show("Work, direct: through Pusher and Puller, beside PUSH and PULL", table);
  unequal_workers();
}

void Bench::unequal_workers() {
  // The fast one does one in a millisecond; of many, the last ones count for little.
  const int jobs = 2 * static_cast<int>(options_.window.count()) + 200;
  Series by_credit;
  Series round_robin;
  double ideal = 0;
  for (std::size_t pair = 0; pair < options_.pairs; ++pair) {
    const UnequalWorkers measured = measure_unequal_workers_apart(jobs);
    by_credit.push_back(measured.by_credit);
    round_robin.push_back(measured.round_robin);
    ideal = measured.ideal.count();
    progress_.at(++done_);
  }
  Table table{{"jobs", "ideal ms", "by credit / ideal", "round-robin / ideal"}};
  table.add({std::to_string(jobs), Spread{{ideal}}.str("%.0f"), Spread{by_credit}.str(),
             Spread{round_robin}.str()});
  report_["unequal_workers"] = {{"jobs", jobs},
                                {"ideal_ms", ideal},
                                {"by_credit", Spread{by_credit}.json()},
                                {"round_robin", Spread{round_robin}.json()}};
  show("Two workers of unequal speed (1 : 10): time taken, beside both busy to the end", table);
}

void Bench::services() {
  const ServiceLoad load{.workers = options_.workers};
  Table table{
      {"broker", "bytes", "requests/s", "of mdbroker", "of nats", "CPU us/request", "of mdbroker"}};
  for (const std::size_t size : options_.sizes) {
    std::map<ServiceBroker, Series> rates;
    std::map<ServiceBroker, Series> cpu;
    for (std::size_t pair = 0; pair < options_.pairs; ++pair)
      for (const ServiceBroker broker : service_brokers(options_)) {
        const auto figures = measure_services(broker, size, load, options_.window);
        rates[broker].push_back(figures.requests_per_second);
        cpu[broker].push_back(figures.cpu_us_per_request);
        progress_.at(++done_);
      }
    for (const ServiceBroker broker : service_brokers(options_)) {
      const Spread guide{ratios(rates[broker], rates[ServiceBroker::mdbroker])};
      const Spread of_nats{ratios(rates[broker], rates[ServiceBroker::nats])};
      const bool ours = broker != ServiceBroker::nats;  // whose server is not our process
      const Spread spent{ours ? cpu[broker] : Series{}};
      const Spread of_guides{ours ? ratios(cpu[broker], cpu[ServiceBroker::mdbroker]) : Series{}};
      table.add({std::string{name_of(broker)}, std::to_string(size),
                 Spread{rates[broker]}.str("%.0f"), guide.str(), of_nats.str(), spent.str("%.1f"),
                 of_guides.str()});
      report_["services"].push_back(
          {{"broker", name_of(broker)},
           {"bytes", size},
           {"in_flight", load.in_flight},
           {"workers", load.workers},
           {"requests_per_second", Spread{rates[broker]}.json()},
           {"ratio", {{"mdbroker", guide.json()}, {"nats", of_nats.json()}}},
           {"cpu_us_per_request", spent.json()},
           {"cpu_ratio", of_guides.json()}});
    }
  }
  show("Services by name: a client with 100 requests in flight, workers with one each", table);
}

void Bench::peers() {
  Table table{{"peers", "processes", "all know all, s", "one more, s", "killed: told, s",
               "of expiry", "cores idle"}};
  for (const std::size_t processes : {std::size_t{1}, std::size_t{4}}) {
    std::array<Series, 4> figures;
    for (std::size_t pair = 0; pair < options_.pairs; ++pair) {
      const PeersMeasured one = measure_peers(options_.peers, processes);
      figures[0].push_back(one.all_known_s);
      figures[1].push_back(one.one_more_s);
      figures[2].push_back(one.killed_s);
      figures[3].push_back(one.cores);
      progress_.at(++done_);
    }
    Series of_expiry;
    const double expiry_s = std::chrono::duration<double>{peers_expire_after}.count();
    for (const double killed_s : figures[2]) of_expiry.push_back(killed_s / expiry_s);
    table.add({std::to_string(options_.peers), std::to_string(processes), Spread{figures[0]}.str(),
               Spread{figures[1]}.str(), Spread{figures[2]}.str(), Spread{of_expiry}.str(),
               Spread{figures[3]}.str()});
    report_["peers"].push_back({{"peers", options_.peers},
                                {"processes", processes},
                                {"all_known_s", Spread{figures[0]}.json()},
                                {"one_more_s", Spread{figures[1]}.json()},
                                {"killed_s", Spread{figures[2]}.json()},
                                {"killed_of_expiry", Spread{of_expiry}.json()},
                                {"cores", Spread{figures[3]}.json()}});
  }
  show("Peers on loopback: from the last one's start, and from a SIGKILL", table);
}

void Bench::reqrep() {
  Table table{{"bytes", "round trips/s", "of zmq_proxy", "of nats", "one at a time: p50 us",
               "of zmq_proxy", "p99 us", "of zmq_proxy"}};
  constexpr std::size_t in_flight = 100;
  for (const std::size_t size : options_.sizes) {
    std::map<Desk, Series> rates;
    std::map<Desk, Series> p50;
    std::map<Desk, Series> p99;
    for (std::size_t pair = 0; pair < options_.pairs; ++pair)
      for (const Desk desk : desks(options_)) {
        rates[desk].push_back(measure_round_trips(desk, size, in_flight, options_.window));
        progress_.at(done_ += 2);
        if (desk == Desk::nats) continue;  // its client gathers what it sends for a while
        const Latency latency = measure_round_trip(desk, size, options_.rounds);
        p50[desk].push_back(latency.p50_us);
        p99[desk].push_back(latency.p99_us);
      }
    const auto of = [](std::map<Desk, Series>& series, Desk other) {
      return Spread{ratios(series[Desk::busbar], series[other])};
    };
    const auto json = [&](std::map<Desk, Series>& series) {
      return nlohmann::json{{"median", Spread{series[Desk::busbar]}.json()},
                            {"of_zmq_proxy", of(series, Desk::zmq_proxy).json()},
                            {"of_nats", of(series, Desk::nats).json()}};
    };
    table.add({std::to_string(size), Spread{rates[Desk::busbar]}.str("%.0f"),
               of(rates, Desk::zmq_proxy).str(), of(rates, Desk::nats).str(),
               Spread{p50[Desk::busbar]}.str("%.0f"), of(p50, Desk::zmq_proxy).str(),
               Spread{p99[Desk::busbar]}.str("%.0f"), of(p99, Desk::zmq_proxy).str()});
    report_["reqrep"].push_back({{"bytes", size},
                                 {"in_flight", in_flight},
                                 {"round_trips_per_second", json(rates)},
                                 {"p50_us", json(p50)},
                                 {"p99_us", json(p99)}});
  }
  show("Requests through a queue, 100 in flight and one at a time, beside DEALER and REP", table);
}

}  // namespace

int run(const Options& options) { return Bench{options}.run(); }

}  // namespace busbar::program::bench

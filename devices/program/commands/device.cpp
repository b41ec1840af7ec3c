#include "program/commands/commands.hpp"
#include "program/duration.hpp"
#include "program/options.hpp"
#include "program/show.hpp"
#include "program/talk.hpp"
#include "program/watch.hpp"

#include <iostream>
#include <memory>
#include <optional>
#include <sstream>

#include <busbar/core/error.hpp>
#include <busbar/core/runner.hpp>
#include <busbar/devices/device.hpp>
#include <busbar/devices/internal/words.hpp>
#include <busbar/devices/internal/worker_rules.hpp>
#include <busbar/devices/stage.hpp>

namespace busbar::program {
namespace {

struct Options {
  DeviceKind kind = DeviceKind::forwarder;
  std::vector<std::string> frontend, backend, frontend_connect, backend_connect, stages;
  std::string name, control, tap, overflow, cache, strategy;
  WorkerOptions workers;
  std::chrono::milliseconds drain_timeout{5000};
  SecurityOptions security;
  int queue = 1000;
  bool json = false;
  bool credit = false;
};

void check_reachable(DeviceKind kind, const DeviceOptions& device) {
  const auto check = [kind](const Endpoint& endpoint) {
    check_leaves_process(std::string{name_of(kind)} + ' ' + endpoint.str(), endpoint);
  };
  for (const SideOptions* side : {&device.frontend, &device.backend}) {
    for (const Endpoint& endpoint : side->bind) check(endpoint);
    for (const Endpoint& endpoint : side->connect) check(endpoint);
  }
  if (device.control) check(*device.control);
  if (device.tap) check(*device.tap);
}

DeviceOptions device_options(const Options& options, const Security& security) {
  DeviceOptions device;
  device.name = options.name.empty() ? std::string{name_of(options.kind)} : options.name;
  device.frontend = {endpoints(options.frontend), endpoints_to_connect(options.frontend_connect),
                     security, options.queue};
  device.backend = {endpoints(options.backend), endpoints_to_connect(options.backend_connect),
                    security, options.queue};
  for (const std::string& stage : options.stages) device.stages.push_back(parse_stage(stage));
  if (!options.control.empty()) device.control = Endpoint{options.control};
  if (!options.tap.empty()) device.tap = Endpoint{options.tap};
  device.control_security = device.tap_security = security;
  device.overflow = detail::named(options.overflow, overflow_policies);
  device.drain_timeout = options.drain_timeout;
  device.credit = options.credit;
  device.cache = detail::named(options.cache, late_joins).value_or(LateJoin::nothing);
  const auto no_side = [](const SideOptions& side) {
    return side.bind.empty() && side.connect.empty();
  };
  device.strategy = detail::named(options.strategy, strategies).value_or(Strategy::round_robin);
  device.workers = options.workers;
  check_reachable(options.kind, device);
  const std::string who = "device '" + device.name + "'";
  if (options.kind == DeviceKind::services) {
    if (no_side(device.frontend))
      throw Error{ErrorKind::usage, who, "it has no endpoint", "give --bind ENDPOINT"};
    return device;
  }
  for (const auto& [side, name] :
       {std::pair{&device.frontend, "frontend"}, {&device.backend, "backend"}})
    if (no_side(*side))
      throw Error{ErrorKind::usage, who, std::string{"the "} + name + " has no endpoint",
                  std::string{"give --"} + name + " ENDPOINT or --" + name + "-connect ENDPOINT"};
  return device;
}

std::string joined(const std::vector<Endpoint>& bound, const std::vector<Endpoint>& connected) {
  std::string text;
  for (const Endpoint& endpoint : bound) text += ' ' + endpoint.str();
  for (const Endpoint& endpoint : connected) text += " connected to " + endpoint.str();
  return text;
}

void announce(const Device& device, const DeviceOptions& options, const Options& given) {
  if (given.kind == DeviceKind::services) {
    say(options.name + " bound" + joined(device.frontend(), {}));
  } else {
    say(options.name + " frontend" + joined(device.frontend(), options.frontend.connect));
    say(options.name + " backend" + joined(device.backend(), options.backend.connect));
  }
  if (const auto control = device.control()) say(options.name + " control " + control->str());
  if (const auto tap = device.tap()) say(options.name + " tap " + tap->str());
  const auto messages = 2 * static_cast<std::uint64_t>(given.queue);
  say("a peer that does not read can hold up to 2 x " + std::to_string(given.queue) +
      " messages here (" + human_bytes(messages * 1024) + " at 1 KiB each); --queue bounds it");
  if (!given.json) return;
  nlohmann::json started{{"event", "started"},
                         {"name", options.name},
                         {"kind", name_of(given.kind)},
                         {"frontend", to_json(device.frontend())},
                         {"backend", to_json(device.backend())},
                         {"peer_messages_max", messages},
                         {"peer_bytes_max", messages * limits::message_bytes}};
  if (const auto control = device.control()) started["control"] = control->str();
  if (const auto tap = device.tap()) started["tap"] = tap->str();
  std::cout << line(started) << std::flush;
}

void say_ledger(const Device& device, bool json) {
  const Ledger ledger = device.ledger();
  std::ostringstream text;
  print(text, ledger);
  std::cerr << text.str();
  if (json) std::cout << line({{"event", "stopped"}, {"ledger", to_json(ledger)}}) << std::flush;
}

int run_device(const Options& options) {
  const Security security = options.security.load();
  const DeviceOptions device_opts = device_options(options, security);
  Signals signals;
  Context context{{.log = library_log()}};
  Device device{context, options.kind, device_opts};
  announce(device, device_opts, options);
  const std::shared_ptr<Active> active = device.active();
  Runner running{active};
  const bool asked = watch(
      signals, {.finished = [&](std::chrono::milliseconds wait) { return running.wait(wait); },
                .drain = [&] { device.drain(options.drain_timeout); },
                .stop = [&] { device.stop(); },
                .reload =
                    [&] {
                      if (!security.allow) return say("SIGHUP: there is no allow list to reload");
                      security.allow->reload();
                      warn_if_empty(*security.allow, options.security.allow);
                      say("allow list reloaded: " + counted(security.allow->size(), "key"));
                    }});
  const StopReport report = active->report();
  if (!report.clean) warn(report.str());
  say_ledger(device, options.json);
  return asked && !report.clean ? exit_timeout : exit_ok;
}

void declare_sides(CLI::App& app, DeviceKind kind, Options& options) {
  if (kind == DeviceKind::services) {
    add_list(app, "--bind", options.frontend, "Bind where clients and workers connect to",
             "ENDPOINT")
        ->required();
    return;
  }
  add_list(app, "--frontend", options.frontend,
           "Bind where messages come from; it needs this or --frontend-connect", "ENDPOINT");
  add_list(app, "--backend", options.backend,
           "Bind where messages go to; it needs this or --backend-connect", "ENDPOINT");
  add_list(app, "--frontend-connect", options.frontend_connect, "Connect the frontend", "ENDPOINT");
  add_list(app, "--backend-connect", options.backend_connect, "Connect the backend", "ENDPOINT");
}

/// As add_duration, where it matters whether it was given; help shows what is usual.
void add_time(CLI::App& app, const std::string& name,
              std::optional<std::chrono::milliseconds>& into, std::chrono::milliseconds usual,
              const std::string& help) {
  app.add_option_function<std::string>(
         name, [name, &into](const std::string& text) { into = parse_duration(text, name); }, help)
      ->type_name("TIME")
      ->default_str(format_duration(usual));
}

template <class Number>
void add_number(CLI::App& app, const std::string& name, std::optional<Number>& into, Number usual,
                const std::string& help, Number least, Number most, const std::string& type = "N") {
  numbers(app.add_option(name, into, help)->type_name(type)->default_str(std::to_string(usual)),
          least, most);
}

/// For devices that know their workers.
void declare_workers(CLI::App& app, DeviceKind kind, WorkerOptions& given) {
  const detail::WorkerRules usual;
  add_time(app, "--heartbeat", given.heartbeat, usual.heartbeat,
           "How often workers are shown that it lives");
  add_time(app, "--expiry", given.expiry, usual.expiry, "A free worker silent for longer is dead");
  if (kind != DeviceKind::services) return;
  add_number<std::size_t>(app, "--hold", given.hold_messages, usual.hold_messages,
                          "Requests held for want of a worker", 0, 10'000'000);
  add_number<std::size_t>(app, "--hold-bytes", given.hold_bytes, usual.hold_bytes,
                          "Their bytes, with parts of answers that wait for the last one", 0,
                          1'000'000'000'000, "BYTES");
  add_time(app, "--hold-age", given.hold_age, usual.hold_age, "How long one is held at most");
  add_number<std::uint32_t>(app, "--prefetch", given.prefetch, usual.prefetch,
                            "Requests that a worker has at a time; they end with it", 1, 1000);
}

Run declare(CLI::App& app, DeviceKind kind) {
  auto options = std::make_shared<Options>();
  options->kind = kind;
  declare_sides(app, kind, *options);
  app.add_option("--name", options->name, "In logs and status; default: the kind")
      ->type_name("NAME");
  app.add_option("--control", options->control, "Where to answer status, pause, drain, stop, …")
      ->type_name("ENDPOINT");
  app.add_option("--tap", options->tap, "Publish a copy of all traffic here")
      ->type_name("ENDPOINT");
  if (kind != DeviceKind::services) {
    words(app.add_option("--overflow", options->overflow, "What to do where an output has no room"),
          detail::names_of(overflow_policies));
    add_list(app, "--stage", options->stages,
             "A step for what goes to the backend: 'only prices.>'", "TEXT");
  }
  add_duration(app, "--drain-timeout", options->drain_timeout, "How long a drain may take");
  if (kind == DeviceKind::forwarder) {
    words(app.add_option("--cache", options->cache,
                         "Give late subscribers (of Busbar) what stock publishers sent before"),
          detail::names_of(late_joins));
  }
  if (kind == DeviceKind::queue) {
    words(app.add_option("--strategy", options->strategy,
                         "ready: for 6/PPP workers, which say when they are free"),
          detail::names_of(strategies));
  }
  if (kind == DeviceKind::queue || kind == DeviceKind::services) {
    declare_workers(app, kind, options->workers);
  }
  if (kind == DeviceKind::streamer) {
    app.add_flag("--credit", options->credit, "Between Pusher and Puller: acknowledged work");
  }
  numbers(app.add_option("--queue", options->queue, "Messages for each peer and direction")
              ->type_name("N")
              ->capture_default_str(),
          1, 1'000'000);
  options->security.declare(app);
  app.add_flag("--json", options->json, "Say where it is bound, and the ledger, on stdout");
  return [options] { return run_device(*options); };
}

constexpr const char* device_details =
    "Options that name an endpoint may be given more than once. SIGINT and SIGTERM drain and end,\n"
    "with 4 where messages had to be abandoned or requests had no reply; a second one stops at\n"
    "once. SIGHUP reads the --allow file again.";

Command device_command(DeviceKind kind, std::string summary, std::string example) {
  return {.name = std::string{name_of(kind)},
          .group = "Devices",
          .summary = std::move(summary),
          .details = device_details,
          .example = std::move(example),
          .declare = [kind](CLI::App& app) { return declare(app, kind); }};
}

}  // namespace

Command forwarder_command() {
  return device_command(DeviceKind::forwarder, "Run a forwarder: publishers to subscribers",
                        "  busbar forwarder --frontend tcp://127.0.0.1:5555 \\\n"
                        "    --backend tcp://127.0.0.1:5556 --stage 'only prices.>'");
}

Command streamer_command() {
  return device_command(
      DeviceKind::streamer,
      "Run a streamer: work dealt out to workers, at most once unless with credit",
      "  busbar streamer --frontend tcp://127.0.0.1:5557 \\\n"
      "    --backend tcp://127.0.0.1:5558 --control ipc:///tmp/work.control");
}

Command queue_command() {
  return device_command(DeviceKind::queue, "Run a queue proxy: requests to workers, replies back",
                        "  busbar queue --frontend tcp://127.0.0.1:5559 \\\n"
                        "    --backend tcp://127.0.0.1:5560 --drain-timeout 10s");
}

Command services_command() {
  return device_command(DeviceKind::services,
                        "Run a broker for services by name: Majordomo 0.1 and 0.2",
                        "  busbar services --bind tcp://127.0.0.1:5555 \\\n"
                        "    --control ipc:///tmp/services.control");
}

}  // namespace busbar::program

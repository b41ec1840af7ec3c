#include "program/commands/commands.hpp"
#include "program/options.hpp"
#include "program/show.hpp"
#include "program/talk.hpp"
#include "program/watch.hpp"

#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <sstream>
#include <thread>
#include <utility>

#include <busbar/core/error.hpp>
#include <busbar/devices/topology/topology.hpp>

namespace busbar::program {
namespace {

struct Options {
  std::string file;
  std::vector<std::string> only;
  std::chrono::milliseconds drain_timeout{5000};
  bool json = false;
};

Topology load(const Options& options) {
  const Topology topology = Topology::load(options.file);
  topology.check(Process::own);
  if (options.only.empty()) return topology;
  const Topology part = topology.only(options.only);
  part.check(Process::own);
  return part;
}

std::string joined(const std::vector<Endpoint>& bound) {
  std::string text;
  for (const Endpoint& endpoint : bound) text += ' ' + endpoint.str();
  return text;
}

void warn_of_empty_lists(const TopologyDevice& device) {
  const DeviceOptions& options = device.options;
  for (const auto& [side, security] : {std::pair{".frontend", &options.frontend.security},
                                       {".backend", &options.backend.security},
                                       {".control", &options.control_security},
                                       {".tap", &options.tap_security}})
    if (security->allow) warn_if_empty(*security->allow, "of " + device.name + side);
}

void announce(const Topology& topology, const RunningTopology& running, const Options& options) {
  nlohmann::json devices = nlohmann::json::array();
  for (const TopologyDevice& device : topology.devices()) {
    warn_of_empty_lists(device);
    const std::vector<Endpoint> frontend = running.bound(device.name + ".frontend");
    const std::vector<Endpoint> backend = running.bound(device.name + ".backend");
    std::string text = device.name + ' ' + std::string{name_of(device.kind)};
    if (!frontend.empty()) text += ", frontend" + joined(frontend);
    if (!backend.empty()) text += ", backend" + joined(backend);
    const int queue = std::max(device.options.frontend.queue, device.options.backend.queue);
    say(text + ", at worst 2 x " + std::to_string(queue) + " messages for each peer");
    devices.push_back({{"name", device.name},
                       {"kind", name_of(device.kind)},
                       {"frontend", to_json(frontend)},
                       {"backend", to_json(backend)},
                       {"peer_messages_max", 2 * queue}});
  }
  if (options.json)
    std::cout << line({{"event", "started"}, {"name", topology.name()}, {"devices", devices}})
              << std::flush;
}

void say_ledgers(const RunningTopology& running, bool json) {
  nlohmann::json all = nlohmann::json::array();
  std::ostringstream text;
  for (const Ledger& ledger : running.ledgers()) {
    print(text, ledger);
    all.push_back(to_json(ledger));
  }
  std::cerr << text.str();
  if (json) std::cout << line({{"event", "stopped"}, {"ledgers", all}}) << std::flush;
}

/// Reloads in a thread of its own: one blocks while devices drain, and a signal has to be heard
/// meanwhile. Those asked for during one become a single one after it.
class Reloading {
 public:
  explicit Reloading(std::function<void()> reload) : reload_(std::move(reload)) {}

  void ask() {
    const std::scoped_lock lock(guard_);
    wanted_ = true;
    if (busy_) return;
    busy_ = true;
    if (thread_.joinable()) thread_.join();
    thread_ = std::jthread{[this] {
      while (next()) try_reload(reload_);
    }};
  }

  void join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  bool next() {
    const std::scoped_lock lock(guard_);
    busy_ = std::exchange(wanted_, false);
    return busy_;
  }

  std::function<void()> reload_;
  std::mutex guard_;
  bool wanted_ = false;
  bool busy_ = false;
  std::jthread thread_;  ///< Last, so that it is joined before the others go.
};

int run_topology(const Options& options) {
  Signals signals;
  const Topology topology = load(options);
  Context context{{.log = library_log()}};
  RunningTopology running = topology.run(context);
  announce(topology, running, options);
  Reloading reloading{[&] {
    const Topology next = load(options);
    running.reload(next);
    say("reloaded " + options.file);
    announce(next, running, {});
  }};
  // Apart from a reload too: its deadline counts while one is under way. A drain blocks its thread,
  // and a second signal has to be heard meanwhile.
  StopReport drained;
  std::jthread draining;
  const bool asked = watch(
      signals, {.finished = [&](std::chrono::milliseconds wait) { return running.wait(wait); },
                .drain =
                    [&] {
                      draining = std::jthread{[&] {
                        drained = running.drain(options.drain_timeout);
                        if (!drained.clean) warn(drained.str());
                      }};
                    },
                .stop = [&] { (void)running.stop(std::chrono::milliseconds{0}); },
                .reload = [&] { reloading.ask(); }});
  if (draining.joinable()) draining.join();
  reloading.join();
  say_ledgers(running, options.json);
  return asked && !drained.clean ? exit_timeout : exit_ok;
}

}  // namespace

Command run_command() {
  return {.name = "run",
          .group = "Topologies",
          .summary = "Run the devices of a topology file",
          .details =
              "SIGINT and SIGTERM drain and end, with 4 where messages had to be abandoned or\n"
              "requests had no reply; a second one stops at once. SIGHUP reads the file again: "
              "devices\n"
              "that did not change go on, and a bad file changes nothing.",
          .example = "  busbar run site.toml --only edge core",
          .declare = [](CLI::App& app) -> Run {
            auto options = std::make_shared<Options>();
            app.add_option("file", options->file, "The topology file")
                ->type_name("FILE.toml")
                ->required();
            app.add_option("--only", options->only, "Run these devices only")->type_name("NAME");
            add_duration(app, "--drain-timeout", options->drain_timeout,
                         "How long a drain may take");
            app.add_flag("--json", options->json,
                         "Say where the devices are bound, and the ledgers, on stdout");
            return [options] { return run_topology(*options); };
          }};
}

}  // namespace busbar::program

#include "program/commands/commands.hpp"
#include "program/options.hpp"
#include "program/show.hpp"
#include "program/talk.hpp"

#include <future>
#include <iostream>
#include <memory>

#include <busbar/core/error.hpp>
#include <busbar/devices/control_client.hpp>
#include <busbar/devices/topology/topology.hpp>

namespace busbar::program {
namespace {

struct Options {
  std::string subject;
  std::chrono::milliseconds timeout{5000};
  SecurityOptions security;
  bool json = false;
};

/// One control endpoint, the device that should answer there, and what came of asking.
struct Asked {
  Endpoint endpoint;
  Security security;
  std::string device;
  std::vector<Ledger> ledgers = {};
  std::string failure = {};
};

/// The server's own pair serves to ask it, where no other is given.
Security client_of(const Security& server) {
  if (!server.keys) return {};
  return {.keys = server.keys, .server_key = server.keys->public_key};
}

std::vector<Asked> whom_to_ask(const Topology& topology, const Options& options,
                               std::vector<Asked>& mute) {
  std::vector<Asked> all;
  for (const TopologyDevice& device : topology.devices()) {
    const auto& control = device.options.control;
    if (!control || control->is_wildcard()) {
      mute.push_back({.endpoint = "inproc://none",
                      .security = {},
                      .device = device.name,
                      .failure = control ? "its control endpoint is chosen by the system"
                                         : "it has no control endpoint"});
      continue;
    }
    const Security own = options.security.load();
    all.push_back({.endpoint = *control,
                   .security = own.keys ? own : client_of(device.options.control_security),
                   .device = device.name});
  }
  return all;
}

void ask_all(Context& context, std::vector<Asked>& all, const Options& options) {
  std::vector<std::future<void>> asking;
  for (Asked& asked : all)
    asking.push_back(std::async(std::launch::async, [&context, &asked, &options] {
      try {
        asked.ledgers = ask_control(context, asked.endpoint, {}, options.timeout, asked.security);
      } catch (const Error& error) {
        asked.failure = error.what();
      }
    }));
  for (auto& one : asking) one.get();
}

void show(const std::vector<Asked>& all, const std::string& name, bool json) {
  nlohmann::json devices = nlohmann::json::array();
  nlohmann::json silent = nlohmann::json::array();
  for (const Asked& asked : all) {
    for (const Ledger& ledger : asked.ledgers) {
      devices.push_back(to_json(ledger));
      if (!json) print(std::cout, ledger);
    }
    if (asked.failure.empty()) continue;
    silent.push_back({{"name", asked.device}, {"why", asked.failure}});
    if (!json) std::cout << asked.device << " no answer: " << asked.failure << '\n';
  }
  nlohmann::json whole{{"devices", devices}};
  if (!name.empty()) {
    whole["name"] = name;
    whole["silent"] = silent;
  }
  if (json) std::cout << line(whole);
  std::cout << std::flush;
}

int status_of_endpoint(const Options& options) {
  Context context{{.log = library_log()}};
  Asked asked{.endpoint = options.subject, .security = options.security.load(), .device = {}};
  asked.ledgers = ask_control(context, asked.endpoint, {}, options.timeout, asked.security);
  show({asked}, "", options.json);
  return exit_ok;
}

int status_of_file(const Options& options) {
  const Topology topology = Topology::load(options.subject);
  std::vector<Asked> mute;
  std::vector<Asked> all = whom_to_ask(topology, options, mute);
  if (all.empty())
    throw Error{ErrorKind::usage, "status " + options.subject,
                "no device in it has a control endpoint that can be asked",
                "give devices `control = \"ipc:///…\"`"};
  Context context{{.log = library_log()}};
  ask_all(context, all, options);
  int code = exit_ok;
  for (const Asked& asked : all)
    if (!asked.failure.empty()) code = exit_timeout;
  all.insert(all.end(), mute.begin(), mute.end());
  show(all, topology.name(), options.json);
  return code;
}

int status(const Options& options) {
  try {
    return options.subject.find("://") != std::string::npos ? status_of_endpoint(options)
                                                            : status_of_file(options);
  } catch (const Error& error) {
    // Who reads JSON gets JSON, whatever came of it; stderr and the exit code tell as well.
    if (options.json)
      std::cout << line({{"devices", nlohmann::json::array()}, {"failure", error.what()}})
                << std::flush;
    throw;
  }
}

}  // namespace

Command status_command() {
  return {
      .name = "status",
      .group = "Control",
      .summary = "Show the ledgers of a control endpoint, or of a whole topology file",
      .details =
          "Exits with 3 where nobody listens at the endpoint, and with 4 where nobody\n"
          "answers. Of a file, every control endpoint is asked, and those that do not answer\n"
          "are named; then it exits with 4. A ledger reconciles:\n"
          "frontend.received = backend.sent + filtered + refused + dropped + held, and the same\n"
          "the other way round. What Busbar's own protocol sends (welcomes, heads of streams)\n"
          "counts as messages. Of services and a ready queue, backend.sent = requests that were\n"
          "answered + are with workers + unanswered: their worker died, left or gave them up.",
      .example = "  busbar status tcp://127.0.0.1:5599 --json\n  busbar status site.toml",
      .declare = [](CLI::App& app) -> Run {
        auto options = std::make_shared<Options>();
        app.add_option("endpoint", options->subject, "A control endpoint, or a topology file")
            ->type_name("ENDPOINT|FILE.toml")
            ->required();
        add_duration(app, "--timeout", options->timeout, "How long to wait for each answer");
        options->security.declare_client(app);
        app.add_flag("--json", options->json, "The ledgers as JSON");
        return [options] { return status(*options); };
      }};
}

}  // namespace busbar::program

#include "program/commands/commands.hpp"
#include "program/options.hpp"
#include "program/show.hpp"
#include "program/talk.hpp"

#include <iostream>
#include <memory>

#include <busbar/devices/control_client.hpp>

namespace busbar::program {
namespace {

struct Options {
  std::string endpoint;
  std::string device;
  std::chrono::milliseconds timeout{5000};
  std::chrono::milliseconds deadline{5000};
  SecurityOptions security;
  bool json = false;
};

int ask(const Options& options, control::Command command) {
  control::Request request{.command = command, .target = options.device};
  if (command == control::Command::drain || command == control::Command::stop)
    request.deadline = options.deadline;
  Context context{{.log = library_log()}};
  const std::vector<Ledger> ledgers =
      ask_control(context, options.endpoint, request, options.timeout, options.security.load());
  nlohmann::json all = nlohmann::json::array();
  for (const Ledger& ledger : ledgers) {
    if (options.json)
      all.push_back(to_json(ledger));
    else
      print(std::cout, ledger);
  }
  if (options.json) std::cout << line({{"devices", all}});
  std::cout << std::flush;
  return exit_ok;
}

Command control_command(control::Command command, std::string summary, std::string options_shown) {
  const std::string name{name_of(command)};
  return {.name = name,
          .group = "Control",
          .summary = std::move(summary),
          .details =
              "Shows the ledger that the devices answer with. Exits with 4 where nobody\n"
              "answers, and with 5 where the endpoint says no.",
          .example = "  busbar " + name + " tcp://127.0.0.1:5599 --device tasks" + options_shown,
          .declare = [command](CLI::App& app) -> Run {
            auto options = std::make_shared<Options>();
            app.add_option("endpoint", options->endpoint, "The control endpoint")
                ->type_name("ENDPOINT")
                ->required();
            app.add_option("--device", options->device, "Only this device of the endpoint")
                ->type_name("NAME");
            add_duration(app, "--timeout", options->timeout, "How long to wait for the answer");
            if (command == control::Command::drain || command == control::Command::stop)
              add_duration(app, "--deadline", options->deadline,
                           "When the device gives up waiting");
            options->security.declare_client(app);
            app.add_flag("--json", options->json, "The ledgers as JSON");
            return [options, command] { return ask(*options, command); };
          }};
}

}  // namespace

Command pause_command() {
  return control_command(control::Command::pause, "Let a device move nothing until resume", "");
}
Command resume_command() {
  return control_command(control::Command::resume, "Let a paused device go on", "");
}
Command drain_command() {
  return control_command(control::Command::drain,
                         "Let a device hand on what it has, take nothing new, and end",
                         " --deadline 10s");
}
Command stop_command() {
  return control_command(control::Command::stop, "End a device", " --deadline 1s");
}

}  // namespace busbar::program

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
  std::chrono::milliseconds timeout{5000};
  std::chrono::milliseconds deadline{5000};
  SecurityOptions security;
  bool json = false;
};

bool ends(control::Command command) {
  return command == control::Command::drain || command == control::Command::stop;
}

std::uint64_t abandoned(const std::vector<Ledger>& ledgers) {
  std::uint64_t sum = 0;
  for (const Ledger& ledger : ledgers)
    sum += ledger.frontend[Cause::abandoned] + ledger.backend[Cause::abandoned];
  return sum;
}

/// `whole`: a ledger that is final is shown whole, else how the device is now.
void show(const std::vector<Ledger>& ledgers, bool whole, bool json) {
  nlohmann::json all = nlohmann::json::array();
  for (const Ledger& ledger : ledgers) {
    if (json)
      all.push_back(to_json(ledger));
    else if (whole)
      print(std::cout, ledger);
    else
      std::cout << headline(ledger) << '\n';
  }
  if (json) std::cout << line({{"devices", all}});
  std::cout << std::flush;
}

int ask(const Options& options, control::Command command) {
  control::Request request{.command = command};
  if (command == control::Command::drain) request.deadline = options.deadline;
  Context context{{.log = library_log()}};
  const std::vector<Ledger> ledgers =
      ask_control(context, options.endpoint, request, options.timeout, options.security.load());
  show(ledgers, ends(command), options.json);
  const std::uint64_t left = abandoned(ledgers);
  if (left == 0) return exit_ok;
  warn(counted(left, "message") + " abandoned: nobody took them in time");
  return command == control::Command::drain ? exit_timeout : exit_ok;
}

Command control_command(control::Command command, std::string summary, std::string options_shown) {
  const std::string name{name_of(command)};
  return {
      .name = name,
      .group = "Control",
      .summary = std::move(summary),
      .details =
          std::string{ends(command) ? "Shows the final ledger" : "Shows the device's state"} +
          ". Exits with 3 where nobody listens, with 4 where\n"
          "nobody answers, and with 5 where the endpoint says no." +
          (command == control::Command::drain ? " Also with 4 where messages\nhad to be abandoned."
                                              : ""),
      .example = "  busbar " + name + " tcp://127.0.0.1:5599" + options_shown,
      .declare = [command](CLI::App& app) -> Run {
        auto options = std::make_shared<Options>();
        app.add_option("endpoint", options->endpoint, "The control endpoint")
            ->type_name("ENDPOINT")
            ->required();
        add_duration(app, "--timeout", options->timeout, "How long to wait for the answer");
        if (command == control::Command::drain)
          add_duration(app, "--deadline", options->deadline, "When the device gives up waiting");
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
  return control_command(control::Command::drain, "Let a device hand on what it has, and end",
                         " --deadline 10s");
}
Command stop_command() {
  return control_command(control::Command::stop, "End a device at once", "");
}

}  // namespace busbar::program

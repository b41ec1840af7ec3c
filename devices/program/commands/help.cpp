#include "program/commands/commands.hpp"

#include <iostream>
#include <memory>

namespace busbar::program {
namespace {

int help(const std::string& name) {
  const std::vector<Command> table = command_table();
  const Parser parser{table};
  if (name.empty()) {
    std::cout << parser.app.help();
    return exit_ok;
  }
  check_command_name(table, name);
  for (const auto& [sub, run] : parser.runs)
    if (sub->get_name() == name) std::cout << sub->help("busbar");
  return exit_ok;
}

}  // namespace

Command help_command() {
  return {.name = "help",
          .group = "Other",
          .summary = "Explain a command, or list them all",
          .details = "The same as `busbar COMMAND --help`.",
          .example = "  busbar help forwarder",
          .declare = [](CLI::App& app) -> Run {
            auto name = std::make_shared<std::string>();
            app.add_option("command", *name, "Which one")->type_name("COMMAND");
            return [name] { return help(*name); };
          }};
}

}  // namespace busbar::program

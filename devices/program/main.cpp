#include "program/command.hpp"
#include "program/suggest.hpp"
#include "program/talk.hpp"

#include <csignal>
#include <exception>
#include <iostream>
#include <string>
#include <sys/resource.h>
#include <utility>

#include <busbar/core/error.hpp>

namespace busbar::program {
namespace {

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

[[noreturn]] void refuse(const std::string& what, const std::optional<std::string>& meant,
                         const std::string& help) {
  throw Error{ErrorKind::usage, "command line", what,
              meant ? "did you mean '" + *meant + "'?" : "see `" + help + " --help`"};
}

/// CLI11 calls an unknown command an unexpected argument; this says what it is.
void check_command_name(const std::vector<Command>& table, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  const std::string given = argv[1];
  std::vector<std::string> names;
  for (const Command& command : table) {
    if (command.name == given) return;
    if (!command.hidden) names.push_back(command.name);
  }
  refuse("unknown command '" + printable(given) + "'", nearest(given, names), "busbar");
}

[[noreturn]] void explain(const Parser& parser, const CLI::ParseError& failure) {
  const CLI::App* used = &parser.app;
  if (const auto subs = parser.app.get_subcommands(); !subs.empty()) used = subs.front();
  const std::string help = used == &parser.app ? "busbar" : "busbar " + used->get_name();
  if (dynamic_cast<const CLI::ExtrasError*>(&failure) != nullptr) {
    for (const std::string& extra : used->remaining()) {
      if (extra.rfind("--", 0) == 0) {
        const std::string name = extra.substr(0, extra.find('='));
        refuse("unknown option '" + printable(name) + "'", nearest(name, option_names(*used)),
               help);
      }
      refuse("unexpected argument '" + printable(extra) + "'", std::nullopt, help);
    }
  }
  refuse(failure.what(), std::nullopt, help);
}

int parse_and_run(int argc, char** argv) {
  const std::vector<Command> table = command_table();
  Parser parser{table};
  check_command_name(table, argc, argv);
  try {
    parser.app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return parser.app.exit(asked, std::cout, std::cerr);
  } catch (const CLI::ParseError& failure) {
    explain(parser, failure);
  }
  for (const auto& [sub, run] : parser.runs)
    if (sub->parsed()) return run();
  return exit_usage;
}

/// libzmq's I/O thread spins once descriptors are exhausted.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t before = std::exchange(limit.rlim_cur, limit.rlim_max);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  if (limit.rlim_cur < 1024)
    warn("only " + std::to_string(limit.rlim_cur) +
         " files and connections may be open at once; raise `ulimit -Hn` to 1024 or more");
}

}  // namespace
}  // namespace busbar::program

int main(int argc, char** argv) {
  using namespace busbar::program;
  std::signal(SIGPIPE, SIG_IGN);
  start_talking();
  raise_descriptor_limit();
  try {
    return parse_and_run(argc, argv);
  } catch (const busbar::Error& error) {
    say(busbar::LogLevel::error, error.what());
    return static_cast<int>(error.kind());
  } catch (const std::exception& error) {
    say(busbar::LogLevel::error, error.what());
    return static_cast<int>(busbar::ErrorKind::refused);
  }
}

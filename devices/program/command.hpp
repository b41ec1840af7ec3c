/// What a subcommand is: a row of the table in table.cpp. Help, man page, completion and the
/// suggestions for typing errors are all made from these rows.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace busbar::program {

/// What the parsed command does; answers the exit code, throws busbar::Error.
using Run = std::function<int()>;

struct Command {
  std::string name;
  std::string group;    ///< The heading it stands under in `busbar --help`.
  std::string summary;  ///< One line, no full stop.
  std::string details;  ///< What an option's own line cannot say; may be empty.
  std::string example;  ///< Command lines that work as they stand.
  /// Adds the options to the parser, and answers what to run once it has parsed.
  std::function<Run(CLI::App&)> declare;
  bool hidden = false;
};

/// All rows, in the order in which help shows them.
std::vector<Command> command_table();

/// A parser with every row declared, and what each one runs.
struct Parser {
  CLI::App app;
  std::vector<std::pair<CLI::App*, Run>> runs;

  explicit Parser(const std::vector<Command>& table);
};

/// Throws Error (usage) where no command has that name, with the one that was probably meant.
void check_command_name(const std::vector<Command>& table, const std::string& name);

/// Exit codes beside those of ErrorKind.
inline constexpr int exit_ok = 0;
inline constexpr int exit_usage = 2;
inline constexpr int exit_timeout = 4;

}  // namespace busbar::program

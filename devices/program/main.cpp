#include "program/command.hpp"
#include "program/output.hpp"
#include "program/talk.hpp"

#include <csignal>
#include <exception>
#include <iostream>
#include <malloc.h>
#include <string>
#include <sys/resource.h>
#include <utility>

#include <busbar/core/error.hpp>
#include <busbar/devices/internal/words.hpp>

namespace busbar::program {
namespace {

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back(name);
  return names;
}

[[noreturn]] void refuse(const std::string& what, std::string_view meant, const std::string& help) {
  throw Error{
      ErrorKind::usage, "command line", what,
      meant.empty() ? "see `" + help + " --help`" : "did you mean '" + std::string{meant} + "'?"};
}

/// CLI11's words about an option, as a person would say them. Its texts begin with the name.
std::string in_plain_words(const CLI::App& used, const CLI::ParseError& failure) {
  const std::string text = failure.what();
  const std::string name = text.substr(0, text.find_first_of(": "));
  if (dynamic_cast<const CLI::RequiredError*>(&failure) != nullptr) {
    for (const CLI::Option* option : used.get_options())
      if (option->get_required() && option->count() == 0)
        return (option->get_positional() ? "" : option->get_name() + ' ') +
               option->get_type_name() + " is missing";
    return "no command is given";
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&failure) != nullptr)
    return name + (text.find("At Most") != std::string::npos ? " may be given once only"
                                                             : " needs a value");
  constexpr std::string_view unread = "Could not convert: ";
  if (text.starts_with(unread)) return text.substr(unread.size()) + ": that is no value for it";
  return text;
}

[[noreturn]] void refuse_unknown(const CLI::App& used, const std::string& option,
                                 const std::string& help) {
  const std::string name = option.substr(0, option.find('='));
  const std::vector<std::string> known = option_names(used);
  // Without the dashes: all options have these in common.
  const std::string_view word = std::string_view{name}.substr(name.starts_with("--") ? 2 : 1);
  const std::string_view meant = detail::nearest(word, {known.begin(), known.end()});
  refuse("unknown option '" + printable(name) + "'", meant.empty() ? "" : "--" + std::string{meant},
         help);
}

[[noreturn]] void explain(const Parser& parser, const CLI::ParseError& failure) {
  const CLI::App* used = &parser.app;
  if (const auto subs = parser.app.get_subcommands(); !subs.empty()) used = subs.front();
  const std::string help = used == &parser.app ? "busbar" : "busbar " + used->get_name();
  // What is not known first: it may be why something else is missing, or in the wrong place.
  const bool too_many = dynamic_cast<const CLI::ExtrasError*>(&failure) != nullptr ||
                        dynamic_cast<const CLI::RequiredError*>(&failure) != nullptr;
  for (const std::string& extra : used->remaining()) {
    if (extra.size() > 1 && extra.front() == '-') refuse_unknown(*used, extra, help);
    if (too_many) refuse("unexpected argument '" + printable(extra) + "'", {}, help);
  }
  refuse(in_plain_words(*used, failure), {}, help);
}

int parse_and_run(int argc, char** argv) {
  const std::vector<Command> table = command_table();
  Parser parser{table};
  // CLI11 calls an unknown command an unexpected argument.
  if (argc > 1 && argv[1][0] != '-') check_command_name(table, argv[1]);
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

/// glibc gives the memory of large messages back to the kernel, and asks for it again at the next.
void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 16 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
#endif
}

}  // namespace

void check_command_name(const std::vector<Command>& table, const std::string& name) {
  std::vector<std::string_view> names;
  for (const Command& command : table) {
    if (command.name == name) return;
    if (!command.hidden) names.push_back(command.name);
  }
  refuse("unknown command '" + printable(name) + "'", detail::nearest(name, names), "busbar");
}

}  // namespace busbar::program

int main(int argc, char** argv) {
  using namespace busbar::program;
  std::signal(SIGPIPE, SIG_IGN);
  occupy_standard_descriptors();
  start_talking();
  keep_freed_memory();
  raise_descriptor_limit();
  try {
    StandardOutput standard_output;
    const int code = parse_and_run(argc, argv);
    standard_output.finish();
    return code;
  } catch (const busbar::Error& error) {
    say(busbar::LogLevel::error, error.what());
    return static_cast<int>(error.kind());
  } catch (const std::exception& error) {
    say(busbar::LogLevel::error, error.what());
    return static_cast<int>(busbar::ErrorKind::refused);
  }
}

#include "program/commands/commands.hpp"

#include <iostream>
#include <sstream>

namespace busbar::program {
namespace {

/// Text for man(7): no line may begin with a control character, and a hyphen is a minus.
std::string roff(const std::string& text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
    line_begins = c == '\n';
  }
  return out;
}

/// `--file FILE`, or `ENDPOINT` for what stands without a name.
std::string heading(const CLI::Option& option) {
  const std::string type = option.get_items_expected_max() > 0 ? option.get_type_name() : "";
  if (option.get_lnames().empty()) return "\\fI" + roff(type) + "\\fR";
  std::string text = "\\fB\\-\\-" + roff(option.get_lnames().front()) + "\\fR";
  if (!type.empty()) text += " \\fI" + roff(type) + "\\fR";
  return text;
}

void option_entry(std::ostream& out, const CLI::Option& option) {
  out << ".TP\n" << heading(option) << '\n' << roff(option.get_description());
  if (!option.get_default_str().empty())
    out << " (default: " << roff(option.get_default_str()) << ')';
  out << '\n';
}

void command_entry(std::ostream& out, const Command& command, const CLI::App& app) {
  out << ".SS busbar " << roff(command.name) << '\n' << roff(command.summary) << ".\n";
  if (!command.details.empty()) out << ".PP\n" << roff(command.details) << '\n';
  for (const CLI::Option* option : app.get_options()) option_entry(out, *option);
  out << ".PP\n.nf\n" << roff(command.example) << "\n.fi\n";
}

void write_page(std::ostream& out) {
  const std::vector<Command> table = command_table();
  const Parser parser{table};
  out << "'\\\" -*- coding: utf-8 -*-\n.TH BUSBAR 1 \"\" \"busbar " BUSBAR_VERSION
         "\" \"User commands\"\n"
         ".SH NAME\nbusbar \\- "
      << roff(parser.app.get_description()) << '\n'
      << ".SH SYNOPSIS\n\\fBbusbar\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n"
         ".SH DESCRIPTION\n"
         "stdout is data, stderr is talk. A length of time is written 500ms, 5s, 1min or 2h. An\n"
         "endpoint is tcp://HOST:PORT or ipc://PATH; one that is bound off loopback needs keys\n"
         "(\\-\\-key and \\-\\-allow) or \\-\\-insecure.\n"
         ".SH COMMANDS\n";
  for (std::size_t i = 0; i < table.size(); ++i)
    if (!table[i].hidden) command_entry(out, table[i], *parser.runs[i].first);
  out << ".SH EXIT STATUS\n"
         ".TP\n0\nok\n.TP\n2\nusage or configuration\n.TP\n3\nan address that cannot be bound or "
         "resolved, a control endpoint where nobody listens, or a\n"
         "connection that was lost\n"
         ".TP\n4\nnot in time: nobody was there, no answer came, or not all was "
         "delivered\n.TP\n5\nrefused by a peer, a permission or a limit\n"
         ".SH ENVIRONMENT\n.TP\nBUSBAR_DEBUG\nIf it is not empty, debug messages are shown too.\n";
}

}  // namespace

Command man_command() {
  return {.name = "man",
          .group = "Other",
          .summary = "Write the manual page",
          .details = "",
          .example = "  busbar man > busbar.1",
          .declare = [](CLI::App&) -> Run {
            return [] {
              write_page(std::cout);
              std::cout << std::flush;
              return exit_ok;
            };
          },
          .hidden = true};
}

}  // namespace busbar::program

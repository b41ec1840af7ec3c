#include "program/commands/commands.hpp"
#include "program/options.hpp"

#include <iostream>
#include <memory>
#include <sstream>

namespace busbar::program {
namespace {

std::string option_words(const CLI::App& app) {
  std::string words;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames())
      words += (words.empty() ? "--" : " --") + name;
  return words;
}

/// `drop|block` offers its words; whatever names a file is left to the shell.
std::string choices(const CLI::Option& option) {
  std::string words = option.get_type_name();
  const auto is_choice = [](char c) { return (c >= 'a' && c <= 'z') || c == '|'; };
  for (const char c : words)
    if (!is_choice(c)) return {};
  for (char& c : words)
    if (c == '|') c = ' ';
  return words;
}

std::string command_words(const Parser& parser) {
  std::string words;
  for (const auto& [sub, run] : parser.runs)
    if (!sub->get_group().empty()) words += (words.empty() ? "" : " ") + sub->get_name();
  return words;
}

/// All options of all commands that take one of a few words, as cases of `$previous`.
void bash_values(std::ostream& out, const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    const std::string words = choices(*option);
    if (words.empty() || option->get_lnames().empty()) continue;
    out << "    " << app.get_name() << ",--" << option->get_lnames().front()
        << ") COMPREPLY=($(compgen -W \"" << words << "\" -- \"$word\")); return ;;\n";
  }
}

void bash(std::ostream& out, const Parser& parser) {
  out << "# bash completion for busbar, made by `busbar completion bash`\n"
         "_busbar() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
         "    COMPREPLY=($(compgen -W \""
      << command_words(parser) << " --help --version\" -- \"$word\")); return\n"
      << "  fi\n"
         "  case ${COMP_WORDS[1]},$previous in\n";
  for (const auto& [sub, run] : parser.runs) bash_values(out, *sub);
  out << "  esac\n"
         "  local options=\n"
         "  case ${COMP_WORDS[1]} in\n";
  for (const auto& [sub, run] : parser.runs)
    out << "    " << sub->get_name() << ") options=\"" << option_words(*sub) << "\" ;;\n";
  out << "  esac\n"
         "  case $word in\n"
         "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
         "    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
         "  esac\n"
         "}\n"
         "complete -o filenames -F _busbar busbar\n";
}

/// zsh's _arguments and _describe give a meaning to these.
std::string zsh_quoted(const std::string& text) {
  std::string quoted;
  for (const char c : text) {
    if (c == '\'') quoted += "'\\'";
    if (c == '[' || c == ']' || c == ':') quoted += '\\';
    quoted += c;
  }
  return quoted;
}

void zsh_option(std::ostream& out, const CLI::Option& option) {
  if (option.get_lnames().empty()) return;
  out << " \\\n        '*--" << option.get_lnames().front() << '['
      << zsh_quoted(option.get_description()) << ']';
  if (option.get_items_expected_max() > 0 && !option.get_type_name().empty()) {
    const std::string words = choices(option);
    out << ':' << zsh_quoted(option.get_type_name()) << ':'
        << (words.empty() ? "_files" : "(" + words + ")");
  }
  out << '\'';
}

void zsh(std::ostream& out, const Parser& parser) {
  out << "#compdef busbar\n# zsh completion for busbar, made by `busbar completion zsh`\n"
         "_busbar() {\n  local -a commands\n  commands=(\n";
  for (const auto& [sub, run] : parser.runs)
    if (!sub->get_group().empty())
      out << "    '" << sub->get_name() << ':' << zsh_quoted(sub->get_description()) << "'\n";
  out << "  )\n"
         "  if (( CURRENT == 2 )); then\n    _describe command commands\n    return\n  fi\n"
         "  local command=$words[2]\n"
         "  shift words\n  (( CURRENT-- ))\n"
         "  case $command in\n";
  for (const auto& [sub, run] : parser.runs) {
    out << "    " << sub->get_name() << ")\n      _arguments";
    for (const CLI::Option* option : sub->get_options()) zsh_option(out, *option);
    out << " \\\n        '*:argument:_files' ;;\n";
  }
  out << "  esac\n}\n_busbar \"$@\"\n";
}

}  // namespace

Command completion_command() {
  return {.name = "completion",
          .group = "Other",
          .summary = "Write the completion script of a shell",
          .details = "",
          .example = "  source <(busbar completion bash)",
          .declare = [](CLI::App& app) -> Run {
            auto shell = std::make_shared<std::string>();
            words(app.add_option("shell", *shell, "Which one")->required(), {"bash", "zsh"});
            return [shell] {
              const Parser parser{command_table()};
              (*shell == "bash" ? bash : zsh)(std::cout, parser);
              std::cout << std::flush;
              return exit_ok;
            };
          }};
}

}  // namespace busbar::program

#include "program/messages.hpp"

#include "program/duration.hpp"

#include <limits>

#include <busbar/core/error.hpp>

namespace busbar::program {

void declare_common(CLI::App& app, MessageOptions& options) {
  options.command = app.get_name();
  app.add_option("endpoint", options.endpoints, "Where to connect, or to bind with --bind")
      ->type_name("ENDPOINT")
      ->required();
  app.add_flag("--bind", options.bind, "Bind instead of connecting");
  numbers(app.add_option("--count", options.count, "End after so many messages")->type_name("N"), 1,
          std::numeric_limits<std::uint64_t>::max());
  app.add_flag("--json", options.json, "A line is {\"payload\":…} in JSON");
  app.add_flag("--progress", options.progress,
               "Show a progress bar on stderr even if that is no terminal");
  options.security.declare(app);
}

void declare_timeout(CLI::App& app, MessageOptions& options, const std::string& help,
                     const std::string& shown_default) {
  app.add_option_function<std::string>(
         "--timeout",
         [&options](const std::string& text) {
           options.timeout = parse_duration(text, "--timeout");
         },
         help)
      ->type_name("TIME")
      ->default_str(shown_default);
}

void declare_reply_timeout(CLI::App& app, MessageOptions& options, const std::string& help) {
  const auto set = [&options](const std::string& text) {
    options.timeout = parse_duration(text, "--timeout");
    if (options.timeout->count() > 0) return;
    throw Error{ErrorKind::usage, "--timeout", "no reply comes in no time", "give a longer one"};
  };
  app.add_option_function<std::string>("--timeout", set, help)
      ->type_name("TIME")
      ->default_str("5s");
}

void declare_sending(CLI::App& app, MessageOptions& options) {
  add_list(app, "--file", options.files, "Read lines from this file instead of stdin", "FILE");
  app.add_flag("--whole", options.whole, "Send each --file (or all of stdin) as one message");
  declare_timeout(app, options,
                  "How long the first line waits for a peer, and the last for delivery", "5s");
}

void declare_receiving(CLI::App& app, MessageOptions& options) {
  app.add_option("--file", options.files,
                 "Instead of stdout; what the file had goes when something comes")
      ->type_name("FILE")
      ->expected(1)
      ->allow_extra_args(false);
  app.add_flag("--whole", options.whole, "Write payloads as they are, without newlines");
  declare_timeout(app, options, "End with 4 when no message came for so long", "");
}

CLI::Option* declare_majordomo(CLI::App& app, MajordomoVersion& version) {
  const auto set = [&version](const std::string& word) {
    version = word == "0.1" ? MajordomoVersion::v01 : MajordomoVersion::v02;
  };
  CLI::Option* const option =
      app.add_option_function<std::string>("--mdp", set, "The version of Majordomo");
  return words(option, {"0.1", "0.2"})->default_str("0.2");
}

void declare_concurrency(CLI::App& app, std::size_t& concurrency, std::size_t most) {
  numbers(app.add_option("--concurrency", concurrency, "Requests that are unanswered at a time")
              ->type_name("N")
              ->capture_default_str(),
          1, most);
}

void declare_wire(CLI::App& app, MessageOptions& options, const std::string& help,
                  std::vector<const CLI::Option*> not_plain) {
  options.not_plain.insert(options.not_plain.end(), not_plain.begin(), not_plain.end());
  CLI::Option* const option = app.add_option_function<std::string>(
      "--wire",
      [&options](const std::string& word) {
        options.wire = word == "plain" ? Wire::plain : Wire::busbar;
      },
      help);
  words(option, {"busbar", "plain"})->default_str("busbar");
}

void declare_headers(CLI::App& app, MessageOptions& options, const std::string& help) {
  const auto add = [&options](const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      const std::size_t sign = text.find('=');
      if (sign == std::string::npos || sign == 0)
        throw Error{ErrorKind::usage, "--header", "'" + printable(text, 40) + "' names no header",
                    "write NAME=VALUE"};
      options.headers.emplace_back(text.substr(0, sign), text.substr(sign + 1));
    }
  };
  options.not_plain.push_back(
      app.add_option_function<std::vector<std::string>>("--header", add, help)
          ->type_name("NAME=VALUE")
          ->expected(1)
          ->allow_extra_args(false)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll));
}

void check_wire(const MessageOptions& options) {
  if (options.wire != Wire::plain) return;
  for (const CLI::Option* option : options.not_plain) {
    if (option->count() == 0 || option->results().back() == "false") continue;
    const std::string name = option->get_name();
    throw Error{ErrorKind::usage, options.command, "--wire plain knows no " + name,
                "leave out --wire plain, or " + name};
  }
}

}  // namespace busbar::program

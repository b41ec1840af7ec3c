#include "program/options.hpp"

#include "program/duration.hpp"
#include "program/talk.hpp"

#include <algorithm>
#include <charconv>

#include <busbar/core/error.hpp>
#include <busbar/devices/internal/words.hpp>

namespace busbar::program {

CLI::Option* add_duration(CLI::App& app, const std::string& name, std::chrono::milliseconds& value,
                          const std::string& help) {
  return app
      .add_option_function<std::string>(
          name, [name, &value](const std::string& text) { value = parse_duration(text, name); },
          help)
      ->type_name("TIME")
      ->default_str(format_duration(value));
}

CLI::Option* add_list(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                      const std::string& help, const std::string& type) {
  return app.add_option(name, values, help)
      ->type_name(type)
      ->expected(1)
      ->allow_extra_args(false)  // what follows is an ENDPOINT, perhaps
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

CLI::Option* numbers(CLI::Option* option, std::uint64_t least, std::uint64_t most) {
  const auto check = [least, most](std::string& text) -> std::string {
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, failure] = std::from_chars(text.data(), end, number);
    if (failure != std::errc{} || stopped != end || number < least || number > most)
      return "'" + printable(text, 40) + "' is no whole number from " + std::to_string(least) +
             " to " + std::to_string(most);
    text = std::to_string(number);  // CLI11 would read 010 as eight
    return {};
  };
  return option->transform(CLI::Validator{check, ""});
}

CLI::Option* words(CLI::Option* option, const std::vector<std::string_view>& all) {
  const std::vector<std::string> known{all.begin(), all.end()};
  const auto check = [known](std::string& text) -> std::string {
    if (std::find(known.begin(), known.end(), text) != known.end()) return {};
    return "'" + printable(text, 40) + "' is none of " +
           detail::listed({known.begin(), known.end()});
  };
  return option->type_name(detail::listed(all, "|"))->check(CLI::Validator{check, ""});
}

std::vector<Endpoint> endpoints(const std::vector<std::string>& texts) {
  std::vector<Endpoint> all{texts.begin(), texts.end()};
  for (const Endpoint& endpoint : all)
    if (endpoint.transport() == Transport::peer)
      throw Error{ErrorKind::usage, endpoint.str(), "this command has no peer that could find it",
                  "give the endpoint that `busbar peer find " + endpoint.path() + "` writes"};
  return all;
}

std::vector<Endpoint> endpoints_to_connect(const std::vector<std::string>& texts) {
  std::vector<Endpoint> all = endpoints(texts);
  // The library would name it as it reads it: port 0 as `*`.
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].is_wildcard())
      throw Error{ErrorKind::usage, "connect " + printable(texts[i]), "no address to connect to",
                  "name host and port, or a path"};
  return all;
}

void check_leaves_process(const std::string& subject, const Endpoint& endpoint) {
  if (endpoint.transport() != Transport::inproc) return;
  throw Error{ErrorKind::usage, subject, "inproc does not leave this process",
              "use ipc:// or tcp://"};
}

void warn_if_empty(const AllowList& list, const std::string& which) {
  if (list.size() > 0) return;
  warn("the allow list " + which + " is empty: nobody can connect; add the public keys of those " +
       "who may, one a line, and start anew (devices: SIGHUP)");
}

void SecurityOptions::declare(CLI::App& app) {
  declare_client(app);
  app.add_option("--allow", allow, "Who may connect: a file with one public key a line")
      ->type_name("FILE");
  app.add_flag("--insecure", insecure, "Bind off loopback without keys all the same");
}

void SecurityOptions::declare_client(CLI::App& app) {
  app.add_option("--key", key, "Our key file (see keygen): everything is encrypted")
      ->type_name("FILE");
  app.add_option("--server-key", server_key, "Public key of the server that we connect to")
      ->type_name("FILE|KEY");
}

Security SecurityOptions::load() const {
  if (key.empty() && !(allow.empty() && server_key.empty()))
    throw Error{ErrorKind::usage, allow.empty() ? "--server-key" : "--allow",
                "it needs keys of our own", "give --key FILE (`busbar keygen FILE` makes one)"};
  Security security;
  security.insecure = insecure;
  if (!key.empty()) security.keys = CurveKeys::load(key);
  if (!allow.empty()) {
    security.allow = AllowList::load(allow);
    warn_if_empty(*security.allow, allow);
  }
  if (!server_key.empty()) security.server_key = load_public_key(server_key);
  return security;
}

}  // namespace busbar::program

#include "program/options.hpp"

#include "program/duration.hpp"

#include <busbar/core/error.hpp>

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
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

std::vector<Endpoint> endpoints(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
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
  if (!allow.empty()) security.allow = AllowList::load(allow);
  if (!server_key.empty()) security.server_key = load_public_key(server_key);
  return security;
}

}  // namespace busbar::program

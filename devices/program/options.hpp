/// Options that several commands share.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <busbar/core/socket_options.hpp>

namespace busbar::program {

/// An option that takes a length of time; its value now is the default that help shows.
CLI::Option* add_duration(CLI::App& app, const std::string& name, std::chrono::milliseconds& value,
                          const std::string& help);

/// An option that may be given more than once, with one value each time.
CLI::Option* add_list(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                      const std::string& help, const std::string& type);

/// `check` without its description, which CLI11 would add to the option's type in help.
inline CLI::Validator quiet(const CLI::Validator& check) { return check.description(""); }

/// Parses each text; throws Error (usage) at the first bad one.
std::vector<Endpoint> endpoints(const std::vector<std::string>& texts);

struct SecurityOptions {
  std::string key = {};
  std::string allow = {};
  std::string server_key = {};
  bool insecure = false;

  /// --key, --allow, --server-key and --insecure.
  void declare(CLI::App& app);
  /// Only what a connecting socket needs: --key and --server-key.
  void declare_client(CLI::App& app);
  /// Loads the files. Throws Error.
  Security load() const;
};

}  // namespace busbar::program

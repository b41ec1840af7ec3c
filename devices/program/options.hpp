/// Options that several commands share.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
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

/// Lets the option take whole numbers from `least` to `most` only, and says so where one is not.
CLI::Option* numbers(CLI::Option* option, std::uint64_t least, std::uint64_t most);

/// Lets the option take these words only; help and completion show them.
CLI::Option* words(CLI::Option* option, const std::vector<std::string_view>& all);

/// Parses each text; throws Error (usage) at the first bad one.
std::vector<Endpoint> endpoints(const std::vector<std::string>& texts);

/// The same, for those to connect to: throws at one that names no address as well.
std::vector<Endpoint> endpoints_to_connect(const std::vector<std::string>& texts);

/// Throws Error (usage) where nobody outside this process could be at it.
void check_leaves_process(const std::string& subject, const Endpoint& endpoint);

/// Says where a list lets nobody in; `which` names it.
void warn_if_empty(const AllowList& list, const std::string& which);

struct SecurityOptions {
  std::string key = {};
  std::string allow = {};
  std::string server_key = {};
  bool insecure = false;

  /// --key, --allow, --server-key and --insecure.
  void declare(CLI::App& app);
  /// Only what a connecting socket needs: --key and --server-key.
  void declare_client(CLI::App& app);
  /// Loads the files, and warns of an empty allow list. Throws Error.
  Security load() const;
};

}  // namespace busbar::program

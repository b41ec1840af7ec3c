#include "program/commands/commands.hpp"
#include "program/show.hpp"
#include "program/talk.hpp"

#include <iostream>
#include <memory>

#include <busbar/core/error.hpp>
#include <busbar/devices/topology/topology.hpp>

namespace busbar::program {
namespace {

struct Options {
  std::string file;
  bool json = false;
};

int check_file(const Options& options) {
  const Topology topology = Topology::load(options.file);
  const std::vector<Finding> findings = topology.findings(Process::own);
  if (options.json) {
    nlohmann::json all = nlohmann::json::array();
    for (const Finding& finding : findings)
      all.push_back({{"file", finding.place.file},
                     {"line", finding.place.line},
                     {"key", finding.place.key},
                     {"problem", finding.problem},
                     {"remedy", finding.remedy}});
    std::cout << line({{"name", topology.name()}, {"findings", all}}) << std::flush;
  }
  for (const Finding& finding : findings) say(LogLevel::error, finding.str());
  if (!findings.empty()) return exit_usage;
  say(options.file + ": fit to run, " + counted(topology.devices().size(), "device") + ", " +
      counted(topology.links().size(), "link"));
  return exit_ok;
}

}  // namespace

Command check_command() {
  return {.name = "check",
          .group = "Topologies",
          .summary = "Say what is wrong with a topology file, without running it",
          .details = "Exits with 0 where the file is fit to run, else with 2.",
          .example = "  busbar check site.toml",
          .declare = [](CLI::App& app) -> Run {
            auto options = std::make_shared<Options>();
            app.add_option("file", options->file, "The topology file")
                ->type_name("FILE.toml")
                ->required();
            app.add_flag("--json", options->json, "List the findings on stdout");
            return [options] { return check_file(*options); };
          }};
}

}  // namespace busbar::program

#include "program/commands/commands.hpp"
#include "program/options.hpp"

#include <iostream>
#include <memory>

#include <busbar/devices/topology/topology.hpp>

namespace busbar::program {
namespace {

struct Options {
  std::string file;
  std::string format = "dot";
};

int draw(const Options& options) {
  const GraphFormat format = options.format == "dot"       ? GraphFormat::dot
                             : options.format == "mermaid" ? GraphFormat::mermaid
                                                           : GraphFormat::svg;
  std::string picture = graph(Topology::load(options.file), format);
  if (picture.empty() || picture.back() != '\n') picture += '\n';
  std::cout << picture << std::flush;
  return exit_ok;
}

}  // namespace

Command graph_command() {
  return {.name = "graph",
          .group = "Topologies",
          .summary = "Draw a topology file",
          .details = "svg needs graphviz.",
          .example = "  busbar graph site.toml --format svg > site.svg",
          .declare = [](CLI::App& app) -> Run {
            auto options = std::make_shared<Options>();
            app.add_option("file", options->file, "The topology file")
                ->type_name("FILE.toml")
                ->required();
            words(app.add_option("--format", options->format, "Of the picture"),
                  {"dot", "mermaid", "svg"})
                ->capture_default_str();
            return [options] { return draw(*options); };
          }};
}

}  // namespace busbar::program

#include "program/command.hpp"
#include "program/commands/commands.hpp"

namespace busbar::program {

std::vector<Command> command_table() {
  return {
      forwarder_command(), streamer_command(), queue_command(),      services_command(),
      run_command(),       check_command(),    graph_command(),      status_command(),
      pause_command(),     resume_command(),   drain_command(),      stop_command(),
      pub_command(),       sub_command(),      push_command(),       pull_command(),
      req_command(),       rep_command(),      call_command(),       peer_command(),
      keygen_command(),    bench_command(),    completion_command(), help_command(),
      man_command(),
  };
}

Parser::Parser(const std::vector<Command>& table)
    : app{"Messaging without a broker: devices, topologies and tools on ZeroMQ", "busbar"} {
  app.set_version_flag("--version", "busbar " BUSBAR_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 ok; 2 usage or configuration; 3 an address that cannot be bound or resolved,\n"
      "a control endpoint where nobody listens, a connection that was lost; 4 not in time: nobody\n"
      "was there, no answer, not all delivered; 5 refused. stdout is data, stderr is talk.\n"
      "`busbar help COMMAND` explains a command.\n\nExample:\n"
      "  busbar forwarder --frontend 'tcp://127.0.0.1:5555' --backend 'tcp://127.0.0.1:5556'");
  for (const Command& command : table) {
    CLI::App* sub = app.add_subcommand(command.name, command.summary);
    sub->group(command.hidden ? "" : command.group);
    sub->footer((command.details.empty() ? "" : command.details + "\n\n") + "Example:\n" +
                command.example);
    runs.emplace_back(sub, command.declare(*sub));
  }
}

}  // namespace busbar::program

/// One function for each file of this folder; the table in table.cpp calls them.
#pragma once

#include "program/command.hpp"

namespace busbar::program {

Command forwarder_command();
Command streamer_command();
Command queue_command();
Command services_command();

Command run_command();
Command check_command();
Command graph_command();

Command status_command();
Command pause_command();
Command resume_command();
Command drain_command();
Command stop_command();

Command pub_command();
Command sub_command();
Command push_command();
Command pull_command();
Command req_command();
Command rep_command();
Command call_command();
Command peer_command();

Command keygen_command();
Command bench_command();
Command completion_command();
Command help_command();
Command man_command();

}  // namespace busbar::program

#include "program/commands/commands.hpp"
#include "program/receive_lines.hpp"

#include <memory>

namespace busbar::program {

Command pull_command() {
  return {.name = "pull",
          .group = "Messages",
          .summary = "Write what pushers send, a line each",
          .details = "Of a message with several frames the last is written; --json has them all.",
          .example =
              "  busbar pull tcp://127.0.0.1:5558 | while read -r file; do convert \"$file\"; done",
          .declare = [](CLI::App& app) -> Run {
            auto options = std::make_shared<MessageOptions>();
            declare_common(app, *options);
            declare_receiving(app, *options);
            return [options] {
              Session session{SocketType::pull, *options};
              return receive_lines(session, *options, false,
                                   [](const Multipart& message) { return !message.empty(); });
            };
          }};
}

}  // namespace busbar::program

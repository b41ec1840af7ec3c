#include "program/commands/commands.hpp"
#include "program/send_lines.hpp"
#include "program/sender.hpp"

#include <exception>
#include <memory>

namespace busbar::program {
namespace {

int push(const MessageOptions& options) {
  Input input{options.files, options.whole};
  Session session{SocketType::push, options};
  Sender sender{session, options.patience()};
  if (!sender.await_peer()) return exit_ok;
  std::exception_ptr bad_line;
  try {
    send_lines(session, input, options, [&](Letter letter, const std::string& place) {
      Multipart message;
      message.push_back(tracked_frame(std::move(letter.payload)));
      return sender.send(message, place) == Sender::Outcome::sent;
    });
  } catch (const std::exception&) {
    bad_line = std::current_exception();  // what was accepted before it goes out all the same
  }
  sender.finish();
  if (bad_line) std::rethrow_exception(bad_line);
  return exit_ok;
}

}  // namespace

Command push_command() {
  return {
      .name = "push",
      .group = "Messages",
      .summary = "Send each line to one of the pullers",
      .details =
          "Waits for a peer, and at the end until all is delivered to the kernel's care; exits\n"
          "with 4 and the number of those that were not. A bad line ends it with 2, after what\n"
          "came before it was sent. A slow peer slows it down.",
      .example = "  find /data -name '*.png' | busbar push tcp://127.0.0.1:5557",
      .declare = [](CLI::App& app) -> Run {
        auto options = std::make_shared<MessageOptions>();
        declare_common(app, *options);
        declare_sending(app, *options);
        return [options] { return push(*options); };
      }};
}

}  // namespace busbar::program

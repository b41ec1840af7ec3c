#include "program/commands/commands.hpp"
#include "program/duration.hpp"
#include "program/output.hpp"
#include "program/send_lines.hpp"
#include "program/sender.hpp"
#include "program/talk.hpp"

#include <memory>

#include <busbar/core/error.hpp>

namespace busbar::program {
namespace {

/// A DEALER that speaks as REQ does (an empty frame first), but does not stick after a timeout.
class Requesting {
 public:
  explicit Requesting(const MessageOptions& options)
      : options_(options),
        input_(options.files, options.whole),
        session_(SocketType::dealer, options),
        sender_(session_, options.patience()) {}

  int run() {
    if (!sender_.await_peer()) return exit_ok;
    send_lines(session_, input_, options_, [this](Letter letter, const std::string& place) {
      Multipart request;
      request.push_back(std::string_view{});
      request.push_back(tracked_frame(std::move(letter.payload)));
      return sender_.send(request, place) == Sender::Outcome::sent && await_reply(place);
    });
    return exit_ok;
  }

 private:
  bool await_reply(const std::string& place) {
    const auto give_up_at = std::chrono::steady_clock::now() + options_.patience();
    while (!session_.asked_to_end()) {
      if (session_.socket().receive(reply_)) {
        if (reply_.size() > 1 && reply_.text(0).empty()) return write_reply();
        warn("ignored a message that is no reply: its first frame is not empty");
        continue;
      }
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(
          give_up_at - std::chrono::steady_clock::now());
      if (left.count() <= 0)
        throw Error{ErrorKind::timeout, session_.name(),
                    "no reply to " + place + " within " + format_duration(options_.patience()),
                    "is a worker there? Or give a longer --timeout"};
      session_.wait(ZMQ_POLLIN, left);
    }
    warn("ended before the reply to " + place + " came");
    return false;
  }

  bool write_reply() {
    if (options_.whole)
      output_.buffer() += reply_.text(reply_.size() - 1);
    else
      append_line(output_.buffer(), reply_, 1, options_.shape());
    return output_.flush();
  }

  const MessageOptions& options_;
  Input input_;
  Session session_;
  Sender sender_;
  Output output_{""};
  Multipart reply_;
};

}  // namespace

Command req_command() {
  return {.name = "req",
          .group = "Messages",
          .summary = "Send each line as a request and write each reply, in order",
          .details = "One request at a time. Exits with 4 where a reply does not come in time.",
          .example = "  echo 'how often?' | busbar req tcp://127.0.0.1:5559 --timeout 2s",
          .declare = [](CLI::App& app) -> Run {
            auto options = std::make_shared<MessageOptions>();
            declare_common(app, *options);
            add_list(app, "--file", options->files, "Read lines from this file instead of stdin",
                     "FILE");
            app.add_flag("--whole", options->whole, "Send each --file (or all of stdin) as one");
            declare_timeout(app, *options, "How long to wait for a peer, and for each reply", "5s");
            return [options] { return Requesting{*options}.run(); };
          }};
}

}  // namespace busbar::program

#include "program/commands/commands.hpp"
#include "program/filter.hpp"
#include "program/progress.hpp"
#include "program/sender.hpp"
#include "program/talk.hpp"

#include <memory>
#include <optional>

#include <busbar/core/clock.hpp>
#include <busbar/core/error.hpp>

namespace busbar::program {
namespace {

struct Options {
  MessageOptions messages;
  std::optional<std::string> reply;
  std::string command;
  bool echo = false;
};

/// A ROUTER that speaks as REP does; unlike REP it says when the requester is gone.
class Replying {
 public:
  explicit Replying(const Options& options)
      : options_(options),
        session_(SocketType::router, options.messages),
        sender_(session_, options.messages.patience()),
        progress_("rep", options.messages.count, options.messages.progress) {
    if (!options.command.empty()) filter_.emplace(options.command);
  }

  int run() {
    TimePoint give_up_at = deadline();
    while (!session_.asked_to_end() && !done()) {
      if (!session_.socket().receive(message_)) {
        await_request(give_up_at);
        continue;
      }
      answer();
      give_up_at = deadline();
      progress_.at(answered_);
    }
    sender_.finish();
    return exit_ok;
  }

 private:
  bool done() const { return options_.messages.count > 0 && answered_ >= options_.messages.count; }

  TimePoint deadline() const {
    const auto& timeout = options_.messages.timeout;
    return timeout ? after(Clock::steady().now(), *timeout) : TimePoint::max();
  }

  void await_request(TimePoint give_up_at) {
    const auto left = left_until(give_up_at, Clock::steady().now());
    if (left.count() <= 0)
      session_.give_up("no request in time", "is anybody asking? Or give a longer --timeout");
    session_.wait(ZMQ_POLLIN, left);
  }

  /// The envelope ends with the first empty frame.
  std::optional<std::size_t> body() const {
    for (std::size_t i = 1; i < message_.size(); ++i)
      if (message_.text(i).empty()) return i + 1;
    return std::nullopt;
  }

  void answer() {
    const auto first = body();
    if (!first) return warn("refused a request without an empty frame behind its envelope");
    if (!options_.echo) {
      std::string reply = options_.reply ? *options_.reply : filtered(*first);
      while (message_.size() > *first) message_.pop_back();
      message_.push_back(tracked_frame(std::move(reply)));
    }
    if (sender_.send(message_, "reply") == Sender::Outcome::no_peer)
      warn("dropped a reply: its requester is gone");
    ++answered_;
  }

  std::string filtered(std::size_t first) {
    const Shape shape = options_.messages.shape();
    std::string line;
    append_line(line, message_, first, shape);
    line.pop_back();
    if (line.find('\n') != std::string::npos) {
      warn("answered a request of several lines with nothing; --json carries it as one line");
      return {};
    }
    const auto patience = options_.messages.patience();
    return parse_line(filter_->answer(std::move(line), patience), shape, "the command's answer")
        .payload;
  }

  const Options& options_;
  Session session_;
  Sender sender_;
  Progress progress_;
  std::optional<Filter> filter_;
  Multipart message_;
  std::uint64_t answered_ = 0;
};

int rep(const Options& options) {
  const int ways =
      (options.echo ? 1 : 0) + (options.reply ? 1 : 0) + (options.command.empty() ? 0 : 1);
  if (ways != 1)
    throw Error{ErrorKind::usage, "rep", "how to answer is not said, or said twice",
                "give one of --echo, --reply TEXT and --command PROGRAM"};
  return Replying{options}.run();
}

}  // namespace

Command rep_command() {
  return {
      .name = "rep",
      .group = "Messages",
      .summary = "Answer requests",
      .details =
          "PROGRAM is started once, by the shell; it reads a request's last frame as a line and\n"
          "writes its answer as a line (stdbuf -oL helps those that do not flush). With --json\n"
          "both lines are {\"payload\":…}.",
      .example = "  busbar rep tcp://127.0.0.1:5560 --command 'stdbuf -oL tr a-z A-Z'",
      .declare = [](CLI::App& app) -> Run {
        auto options = std::make_shared<Options>();
        declare_common(app, options->messages);
        app.add_flag("--echo", options->echo, "Answer with the request itself");
        app.add_option("--reply", options->reply, "Answer with this text")->type_name("TEXT");
        app.add_option("--command", options->command, "Answer with what this program answers")
            ->type_name("PROGRAM");
        declare_timeout(app, options->messages, "End with 4 when no request came for so long", "");
        return [options] { return rep(*options); };
      }};
}

}  // namespace busbar::program

#include "program/commands/commands.hpp"
#include "program/endpoints.hpp"
#include "program/filter.hpp"
#include "program/progress.hpp"
#include "program/sender.hpp"
#include "program/talk.hpp"

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <busbar/core/clock.hpp>
#include <busbar/core/error.hpp>
#include <busbar/patterns/replier.hpp>

namespace busbar::program {
namespace {

struct Options {
  MessageOptions messages;
  std::optional<std::string> reply;
  std::string command;
  bool echo = false;
  unsigned threads = 1;
};

using std::chrono::milliseconds;

constexpr milliseconds tick{20};        // how late a signal is seen
constexpr milliseconds farewell{1000};  // for what is being answered at the end

/// The answer of a command to one request, whose last frame is the payload.
std::string answer_of(Filter& filter, const Multipart& message, std::size_t first,
                      const MessageOptions& options) {
  std::string line;
  append_line(line, message, first, options.shape());
  line.pop_back();
  if (line.find('\n') != std::string::npos) {
    warn("answered a request of several lines with nothing; --json carries it as one line");
    return {};
  }
  return parse_line(filter.answer(std::move(line), options.patience()), options.shape(),
                    "the command's answer")
      .payload;
}

/// Through a Replier, with a command of its own for each thread.
class Replying {
 public:
  explicit Replying(const Options& options)
      : options_(options),
        replier_(context_, replier_options(options)),
        progress_("rep", options.messages.count, options.messages.progress) {
    for (unsigned i = 0; i < options.threads && !options.command.empty(); ++i)
      filters_.push_back(std::make_unique<Filter>(options.command));
    say_bound(options.messages, replier_.bound());
    replier_.otherwise([this](Request request) { answer(request); });
  }

  int run() {
    std::thread serving{[this] {
      replier_.serve();
      ended_ = true;
    }};
    std::exception_ptr failure;
    try {
      wait();
    } catch (const Error&) {
      failure = std::current_exception();
    }
    replier_.stop(farewell);
    serving.join();
    if (failure) std::rethrow_exception(failure);
    if (failure_) std::rethrow_exception(failure_);
    return exit_ok;
  }

 private:
  static ReplierOptions replier_options(const Options& options) {
    ReplierOptions made{.name = options.messages.command, .threads = options.threads};
    place(made, options.messages);
    return made;
  }

  void wait() {
    const auto& timeout = options_.messages.timeout;
    const auto deadline = [&] {
      return timeout ? after(Clock::steady().now(), *timeout) : TimePoint::max();
    };
    TimePoint give_up_at = deadline();
    std::uint64_t seen = 0;
    while (!waiter_.asked_to_end() && !ended_) {
      waiter_.wait(tick);
      const std::uint64_t answered = answered_;
      if (answered != seen) give_up_at = deadline();
      seen = answered;
      progress_.at(answered);
      if (Clock::steady().now() < give_up_at) continue;
      give_up(subject(options_.messages), absence(replier_.ledger()), "no request in time",
              "is anybody asking? Or give a longer --timeout");
    }
  }

  void answer(Request& request) {
    try {
      if (options_.echo)
        request.reply(request.payload());
      else
        request.reply(options_.reply ? *options_.reply : filtered(request));
    } catch (const Error& error) {
      request.fail(error.what(), error.kind());
      const std::scoped_lock lock{mutex_};
      if (!failure_) failure_ = std::current_exception();
      replier_.stop(milliseconds{0});
      return;
    }
    if (++answered_ == options_.messages.count) replier_.stop(milliseconds{0});
  }

  std::string filtered(const Request& request) {
    Multipart message;
    message.push_back(request.payload());
    for (const Frame& frame : request.further()) message.push_back(text(frame));
    std::unique_ptr<Filter> filter = take_filter();
    std::string reply = answer_of(*filter, message, 0, options_.messages);
    const std::scoped_lock lock{mutex_};
    filters_.push_back(std::move(filter));
    return reply;
  }

  std::unique_ptr<Filter> take_filter() {
    const std::scoped_lock lock{mutex_};
    std::unique_ptr<Filter> filter = std::move(filters_.back());
    filters_.pop_back();
    return filter;
  }

  const Options& options_;
  Waiter waiter_;
  Context context_{{.log = library_log()}};
  Replier replier_;
  Progress progress_;
  std::atomic<std::uint64_t> answered_ = 0;
  std::atomic<bool> ended_ = false;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Filter>> filters_;  ///< Those that are free.
  std::exception_ptr failure_;
};

/// A ROUTER that speaks as REP does; unlike REP it says when the requester is gone.
class PlainReplying {
 public:
  explicit PlainReplying(const Options& options)
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
      std::string reply = options_.reply ? *options_.reply
                                         : answer_of(*filter_, message_, *first, options_.messages);
      while (message_.size() > *first) message_.pop_back();
      message_.push_back(tracked_frame(std::move(reply)));
    }
    if (sender_.send(message_, "reply") == Sender::Outcome::no_peer)
      warn("dropped a reply: its requester is gone");
    ++answered_;
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
  check_wire(options.messages);
  if (options.messages.wire == Wire::plain) return PlainReplying{options}.run();
  return Replying{options}.run();
}

}  // namespace

Command rep_command() {
  return {
      .name = "rep",
      .group = "Messages",
      .summary = "Answer requests",
      .details =
          "To busbar req and other Busbar Requesters, and to stock REQ. What is too late or was\n"
          "cancelled is not begun. PROGRAM is started by the shell, once for each thread; it "
          "reads\n"
          "a request's last frame as a line and writes its answer as a line (stdbuf -oL helps\n"
          "those that do not flush). With --json both lines are {\"payload\":…}.",
      .example = "  busbar rep tcp://127.0.0.1:5560 --command 'stdbuf -oL tr a-z A-Z'",
      .declare = [](CLI::App& app) -> Run {
        auto options = std::make_shared<Options>();
        declare_common(app, options->messages);
        app.add_flag("--echo", options->echo, "Answer with the request itself");
        app.add_option("--reply", options->reply, "Answer with this text")->type_name("TEXT");
        app.add_option("--command", options->command, "Answer with what this program answers")
            ->type_name("PROGRAM");
        const CLI::Option* const threads = numbers(
            app.add_option("--threads", options->threads, "Requests that are answered at a time")
                ->type_name("N")
                ->capture_default_str(),
            1, 1000);
        declare_wire(app, options->messages, "plain: as stock REP, which gives all frames back",
                     {threads});
        declare_timeout(app, options->messages, "End with 4 when no request came for so long", "");
        return [options] { return rep(*options); };
      }};
}

}  // namespace busbar::program

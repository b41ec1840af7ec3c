#include "program/commands/commands.hpp"
#include "program/desk.hpp"
#include "program/duration.hpp"
#include "program/endpoints.hpp"
#include "program/progress.hpp"
#include "program/sender.hpp"
#include "program/show.hpp"
#include "program/talk.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <system_error>

#include <busbar/core/clock.hpp>
#include <busbar/core/error.hpp>
#include <busbar/patterns/replier.hpp>
#include <busbar/patterns/service_worker.hpp>

namespace busbar::program {
namespace {

struct Options {
  MessageOptions messages;
  AnswerOptions how;
  unsigned threads = 1;
  std::optional<std::string> service;
  MajordomoVersion majordomo = MajordomoVersion::v02;
};

using std::chrono::milliseconds;

constexpr milliseconds farewell{1000};  // for what is being answered at the end

[[noreturn]] void tell_of_unanswered(const MessageOptions& options, std::uint64_t requests) {
  throw Error{ErrorKind::timeout, subject(options),
              counted(requests, "request") + " unanswered at the end",
              "they took longer than " + format_duration(farewell) + ", or a second signal came"};
}

/// Through a Replier.
class Replying {
 public:
  explicit Replying(const Options& options)
      : options_(options),
        desk_(options.messages, options.how, options.threads),
        replier_(context_, replier_options(options)) {
    say_bound(options.messages, replier_.bound());
    // With the empty method all frames of stock requesters are the body.
    replier_.on("", [this](Request& request) { answer(request); });
    replier_.otherwise([this](Request& request) { answer(request); });
  }

  int run() {
    auto serving = std::async(std::launch::async, [this] { serve(); });
    desk_.wait(waiter_, counterpart_, [this] { return absence(replier_.ledger()); });
    desk_.close(waiter_, [this] { stop(); });
    serving.get();
    desk_.check();
    const std::uint64_t unanswered = std::max<std::uint64_t>(abandoned_, desk_.interrupted());
    if (unanswered > 0) tell_of_unanswered(options_.messages, unanswered);
    return exit_ok;
  }

 private:
  static ReplierOptions replier_options(const Options& options) {
    ReplierOptions made{.name = options.messages.command, .threads = options.threads};
    place(made, options.messages);
    return made;
  }

  void serve() {
    try {
      replier_.serve();
    } catch (...) {
      desk_.end();
      throw;
    }
    desk_.end();
  }

  /// Begins no more; what runs may end.
  void stop() {
    const StopReport report = replier_.stop(farewell);
    if (report.abandoned > 0) abandoned_ = report.abandoned;
  }

  void answer(Request& request) {
    try {
      reply_to(request);
    } catch (const Error& error) {
      warn(error.what());
      request.fail(error.what(), error.kind());
      desk_.failed();
    }
    desk_.answered();
    if (desk_.count() == options_.messages.count) stop();
  }

  void reply_to(Request& request) {
    if (options_.how.echo) {
      if (request.further().empty()) return request.reply(request.payload());
      warn("refused a request of several frames; --wire plain gives all of them back");
      return request.refuse("several frames, of which only one could go back");
    }
    if (const auto reply = desk_.answer(all(request), request.left())) return request.reply(*reply);
    request.refuse("several lines, where one is read");
  }

  static Multipart all(const Request& request) {
    Multipart message;
    message.push_back(request.payload());
    for (const Frame& frame : request.further()) message.push_back(text(frame));
    return message;
  }

  const Options& options_;
  Waiter waiter_;
  Counterpart counterpart_{options_.messages, "queue or requester"};
  Context context_{{.log = library_log()}};
  Desk desk_;
  Replier replier_;
  std::atomic<std::uint64_t> abandoned_ = 0;
};

/// Through a ServiceWorker.
class Serving {
 public:
  explicit Serving(const Options& options)
      : options_(options),
        desk_(options.messages, options.how, options.threads * options.messages.endpoints.size()),
        worker_(context_, worker_options(options),
                [this](ServiceRequest& request) { return answer(request); }) {}

  int run() {
    desk_.wait(waiter_, counterpart_, [this] { return absence_of_broker(worker_.ledger()); });
    std::uint64_t unanswered = 0;
    desk_.close(waiter_, [&] { unanswered = worker_.stop(farewell).abandoned; });
    desk_.check();
    unanswered = std::max(unanswered, desk_.interrupted());
    if (unanswered > 0) tell_of_unanswered(options_.messages, unanswered);
    return exit_ok;
  }

 private:
  static ServiceWorkerOptions worker_options(const Options& options) {
    return {.service = *options.service,
            .connect = addresses(options.messages),
            .security = options.messages.security.load(),
            .version = options.majordomo,
            .threads = options.threads};
  }

  std::string answer(const ServiceRequest& request) {
    try {
      std::string reply = desk_.answer(request.frames(), Desk::no_deadline).value_or("");
      desk_.answered();
      return reply;
    } catch (const Error&) {
      desk_.failed();
      desk_.answered();
      throw;  // so nobody is answered, and it is logged
    }
  }

  const Options& options_;
  Waiter waiter_;
  Counterpart counterpart_{options_.messages, "broker"};
  Context context_{{.log = library_log()}};
  Desk desk_;
  ServiceWorker worker_;
};

/// A ROUTER that speaks as REP does; unlike REP it says when the requester is gone.
class PlainReplying {
 public:
  explicit PlainReplying(const Options& options)
      : options_(options),
        session_(SocketType::router, options.messages),
        sender_(session_, options.messages.patience()),
        desk_(options.messages, options.how, 1),
        progress_("rep", options.messages.count, options.messages.progress) {}

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
    Absence absence = session_.absence();
    absence.met = session_.has_peer();
    counterpart_.look(absence);
    const auto left = left_until(give_up_at, Clock::steady().now());
    if (left.count() <= 0) counterpart_.give_up(absence);
    session_.wait(ZMQ_POLLIN, left);
  }

  /// The envelope ends with the first empty frame.
  std::optional<std::size_t> body() const {
    for (std::size_t i = 1; i < message_.size(); ++i)
      if (message_.text(i).empty()) return i + 1;
    return std::nullopt;
  }

  /// By the answer. Of what failed: as a Replier tells a stock REQ, an empty frame and the reason.
  void replace_body(std::size_t first) {
    std::optional<std::string> reply;
    std::string reason = "several lines, where one is read";
    try {
      reply = desk_.answer(message_, Desk::no_deadline, first, [this] { return interrupted(); });
    } catch (const Error& error) {
      if (interrupted()) throw;
      warn(error.what());
      reason = error.what();
    }
    while (message_.size() > first) message_.pop_back();
    if (!reply) message_.push_back(std::string_view{});
    message_.push_back(tracked_frame(std::move(reply ? *reply : reason)));
  }

  /// A while after the first signal, at once after the second.
  bool interrupted() {
    session_.wait(0, milliseconds{0});
    if (!session_.asked_to_end()) return false;
    if (!cut_at_) cut_at_ = after(Clock::steady().now(), farewell);
    return session_.asked_to_stop_at_once() || Clock::steady().now() >= *cut_at_;
  }

  void answer() {
    const auto first = body();
    if (!first) return warn("refused a request without an empty frame behind its envelope");
    if (!options_.how.echo) replace_body(*first);
    if (sender_.send(message_, "reply") == Sender::Outcome::no_peer)
      warn("dropped a reply: its requester is gone");
    ++answered_;
  }

  const Options& options_;
  Session session_;
  Counterpart counterpart_{options_.messages, "queue or requester"};
  Sender sender_;
  Desk desk_;
  Progress progress_;
  Multipart message_;
  std::uint64_t answered_ = 0;
  std::optional<TimePoint> cut_at_;
};

int rep(const Options& options) {
  const AnswerOptions& how = options.how;
  const int ways = (how.echo ? 1 : 0) + (how.reply ? 1 : 0) + (how.command.empty() ? 0 : 1);
  if (ways != 1)
    throw Error{ErrorKind::usage, "rep", "how to answer is not said, or said twice",
                "give one of --echo, --reply TEXT and --command PROGRAM"};
  check_wire(options.messages);
  if (options.service && options.messages.bind)
    throw Error{ErrorKind::usage, "rep", "a service's worker connects to its broker",
                "leave out --bind, or --service"};
  try {
    if (options.service) return Serving{options}.run();
    if (options.messages.wire == Wire::plain) return PlainReplying{options}.run();
    return Replying{options}.run();
  } catch (const std::system_error& failure) {  // of a thread
    throw Error{ErrorKind::refused, subject(options.messages), failure.what(),
                "give fewer --threads, or raise the limits (ulimit)"};
  }
}

}  // namespace

Command rep_command() {
  return {
      .name = "rep",
      .group = "Messages",
      .summary = "Answer requests",
      .details =
          "To busbar req, other Busbar Requesters and stock REQ; with --service to busbar call "
          "and\n"
          "other Majordomo clients, through the broker (`busbar services`). What is too late or "
          "was\n"
          "cancelled is not begun. PROGRAM is started by the shell, once for each request at a "
          "time;\n"
          "it reads a request's last frame as a line and writes its answer as one line (stdbuf "
          "-oL\n"
          "helps those that do not flush) within 5s, or until the request's deadline and for\n"
          "--timeout at most where those are longer. Where it does not, ends or writes several "
          "lines,\n"
          "that request fails (with --service nobody is answered) and PROGRAM is started anew. "
          "With\n"
          "--json both lines are {\"payload\":…}. Not behind a queue with --strategy ready, which "
          "waits\n"
          "for workers that say when they are free. Ends PROGRAM and what it started a second "
          "after a\n"
          "signal, or at the next one. Exits with 4 where it leaves requests unanswered.",
      .example = "  busbar rep --bind tcp://127.0.0.1:5559 --command 'stdbuf -oL tr a-z A-Z'",
      .declare = [](CLI::App& app) -> Run {
        auto options = std::make_shared<Options>();
        declare_common(app, options->messages);
        app.add_flag("--echo", options->how.echo, "Answer with the request itself");
        app.add_option("--reply", options->how.reply, "Answer with this text")->type_name("TEXT");
        app.add_option("--command", options->how.command, "Answer with what this program answers")
            ->type_name("PROGRAM");
        const CLI::Option* const threads = numbers(
            app.add_option("--threads", options->threads,
                           "Requests that are answered at a time; with --service of each broker")
                ->type_name("N")
                ->capture_default_str(),
            1, 1000);
        CLI::Option* const service =
            app.add_option("--service", options->service,
                           "Serve this name at the broker, or at each of several")
                ->type_name("NAME");
        declare_majordomo(app, options->majordomo)->needs(service);
        declare_wire(app, options->messages, "plain: as stock REP, which gives all frames back",
                     {threads, service});
        declare_timeout(app, options->messages, "End with 4 when no request came for so long", "");
        return [options] { return rep(*options); };
      }};
}

}  // namespace busbar::program

#include "program/commands/commands.hpp"
#include "program/duration.hpp"
#include "program/endpoints.hpp"
#include "program/output.hpp"
#include "program/replies.hpp"
#include "program/send_lines.hpp"
#include "program/sender.hpp"
#include "program/talk.hpp"

#include <memory>
#include <optional>

#include <busbar/core/error.hpp>
#include <busbar/patterns/requester.hpp>
#include <busbar/protocol/request_codec.hpp>

namespace busbar::program {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct Options {
  MessageOptions messages;
  std::string method;
  std::size_t concurrency = 1;
  bool idempotent = false;
};

/// Through a Requester. Replies are written in the order of the lines.
class Requesting {
 public:
  explicit Requesting(const Options& options)
      : options_(options),
        messages_(options.messages),
        input_(messages_.files, messages_.whole),
        requester_(context_, requester_options(options)),
        replies_(waiter_, options.concurrency,
                 [this](PendingReply& pending, const std::string& place) {
                   return write(pending.get(), place);
                 }) {}

  int run() {
    const auto unsent = send_lines(
        waiter_, input_, messages_,
        [this](const Letter& letter, const std::string& place) {
          return replies_.add(requester_.request(options_.method, letter.payload,
                                                 {.deadline = messages_.patience(),
                                                  .idempotent = options_.idempotent}),
                              place);
        },
        [this] { await_server(); });
    replies_.finish();
    check_all_answered(waiter_, subject(messages_),
                       replies_.unwritten() ? replies_.unwritten() : unsent);
    return exit_ok;
  }

 private:
  static RequesterOptions requester_options(const Options& options) {
    return {.name = options.messages.command,
            .connect = addresses(options.messages),
            .security = options.messages.security.load()};
  }

  /// Or for a signal.
  void await_server() {
    const auto give_up_at = steady_clock::now() + messages_.patience();
    while (!in_time([this] { requester_.wait_for_servers(1, tick); })) {
      waiter_.wait(milliseconds{0});
      if (waiter_.asked_to_end()) return;
      if (steady_clock::now() < give_up_at) continue;
      give_up(subject(messages_), absence(requester_.ledger()),
              "no peer within " + format_duration(messages_.patience()),
              "start the other end, or give a longer --timeout");
    }
  }

  /// Whatever the kind of the replier's own Error: our exit code tells of this end.
  static ErrorKind kind_of(const Reply& reply) {
    const bool no_server = reply.outcome() == Outcome::lost || reply.outcome() == Outcome::no_peer;
    return no_server ? ErrorKind::unreachable : ErrorKind::refused;
  }

  bool write(const Reply& reply, const std::string& place) {
    if (reply.outcome() == Outcome::expired)
      throw Error{ErrorKind::timeout, subject(messages_),
                  "no reply to " + place + " within " + format_duration(messages_.patience()),
                  "is a worker there? Or give a longer --timeout"};
    try {
      reply.check();
    } catch (const RequestError& error) {
      const bool lost = reply.outcome() == Outcome::lost;
      throw Error{kind_of(reply), subject(messages_), place + ": " + error.cause(),
                  lost ? "what may be done twice can be asked with --idempotent" : error.remedy()};
    }
    Multipart frames;
    frames.push_back(reply.payload());
    for (const Frame& frame : reply.further()) frames.push_back(text(frame));
    if (messages_.whole)
      output_.buffer() += frames.text(frames.size() - 1);
    else
      append_line(output_.buffer(), frames, 0, messages_.shape());
    return output_.flush();
  }

  const Options& options_;
  const MessageOptions& messages_;
  Input input_;
  Waiter waiter_;
  Context context_{{.log = library_log()}};
  Requester requester_;
  Output output_{""};
  Replies<PendingReply> replies_;
};

/// A DEALER that speaks as REQ does (an empty frame first), but does not stick after a timeout.
class PlainRequesting {
 public:
  explicit PlainRequesting(const MessageOptions& options)
      : options_(options),
        input_(options.files, options.whole),
        session_(SocketType::dealer, options),
        sender_(session_, options.patience()) {}

  int run() {
    const auto unanswered = send_lines(
        session_, input_, options_,
        [this](Letter letter, const std::string& place) {
          Multipart request;
          request.push_back(std::string_view{});
          request.push_back(tracked_frame(std::move(letter.payload)));
          return sender_.send(request, place) == Sender::Outcome::sent && await_reply(place);
        },
        [this] { sender_.await_peer(); });
    check_all_answered(session_, session_.name(), unanswered);
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

int req(const Options& options) {
  if (options.method.size() > protocol::method_bytes)
    throw Error{ErrorKind::usage, "--method",
                "'" + printable(options.method, 40) + "' has more than " +
                    std::to_string(protocol::method_bytes) + " bytes",
                "give a shorter name"};
  const bool plain = options.messages.bind || options.messages.wire == Wire::plain;
  if (!plain) return Requesting{options}.run();
  if (options.concurrency > 1 || options.idempotent || !options.method.empty())
    throw Error{ErrorKind::usage, "req", "stock REP knows no --method, and one request at a time",
                "leave out --bind and --wire plain, or --method, --concurrency and --idempotent"};
  return PlainRequesting{options.messages}.run();
}

}  // namespace

Command req_command() {
  return {
      .name = "req",
      .group = "Messages",
      .summary = "Send each line as a request and write each reply, in order",
      .details =
          "To busbar rep, a Busbar Replier or stock REP, directly or through queues; of several\n"
          "endpoints the one with the fewest requests unanswered. --timeout is each request's\n"
          "deadline, which goes along: a replier begins nothing that is too late. Exits with the\n"
          "line, and 4 where its reply does not come in time or a signal came first, 5 where it\n"
          "was refused or failed or nobody reads the replies, 3 where the connection was lost.",
      .example =
          "  echo 'how often?' | busbar req tcp://127.0.0.1:5559 --timeout 2s --concurrency 100",
      .declare = [](CLI::App& app) -> Run {
        auto options = std::make_shared<Options>();
        MessageOptions& messages = options->messages;
        declare_common(app, messages);
        messages.payload_only = true;
        app.add_option("--method", options->method,
                       "What is asked for, where a replier has several")
            ->type_name("NAME");
        declare_concurrency(app, options->concurrency, 100'000);
        app.add_flag("--idempotent", options->idempotent,
                     "May be done twice: asked again where a server dies or is slow");
        add_list(app, "--file", messages.files, "Read lines from this file instead of stdin",
                 "FILE");
        app.add_flag("--whole", messages.whole, "Send each --file (or all of stdin) as one");
        declare_wire(app, messages, "plain: as stock REQ; always so with --bind");
        declare_reply_timeout(app, messages,
                              "How long the first line waits for a peer, and each for its reply");
        return [options] { return req(*options); };
      }};
}

}  // namespace busbar::program

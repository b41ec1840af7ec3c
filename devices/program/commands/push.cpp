#include "program/commands/commands.hpp"
#include "program/duration.hpp"
#include "program/endpoints.hpp"
#include "program/send_lines.hpp"
#include "program/sender.hpp"
#include "program/show.hpp"
#include "program/talk.hpp"

#include <exception>
#include <limits>
#include <memory>
#include <optional>

#include <busbar/core/error.hpp>
#include <busbar/patterns/pusher.hpp>

namespace busbar::program {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct Options {
  MessageOptions messages;
  bool acknowledge = true;
  bool batch = true;
  std::uint32_t attempts = PusherOptions{}.attempts_max;
};

PusherOptions pusher_options(const Options& options) {
  PusherOptions made{.name = options.messages.command,
                     .acknowledge = options.acknowledge,
                     .attempts_max = options.attempts};
  if (!options.batch) made.batch_bytes = 0;
  place(made, options.messages);
  return made;
}

class Pushing {
 public:
  explicit Pushing(const Options& options)
      : options_(options.messages),
        input_(options_.files, options_.whole),
        pusher_(context_, pusher_options(options)) {
    say_bound(options_, pusher_.bound());
    pusher_.on_give_up([](Message&& message) {
      warn("given up: '" + printable(message.payload(), 60) +
           "': " + printable(message.header("busbar-failure")));
    });
  }

  int run() {
    std::exception_ptr bad_line;
    try {
      unsent_ = send_lines(
          waiter_, input_, options_,
          [this](const Letter& letter, const std::string& place) { return push(letter, place); },
          [this] { await_worker(); });
    } catch (const std::exception&) {
      bad_line = std::current_exception();  // what was accepted before it is done all the same
    }
    finish();
    if (bad_line) std::rethrow_exception(bad_line);
    return exit_ok;
  }

 private:
  /// Or for a signal.
  void await_worker() {
    const auto give_up_at = steady_clock::now() + options_.patience();
    while (!in_time([this] { pusher_.wait_for_workers(1, tick); })) {
      waiter_.wait(milliseconds{0});
      if (waiter_.asked_to_end()) return;
      if (steady_clock::now() >= give_up_at)
        give_up("no peer within " + format_duration(options_.patience()));
    }
  }

  bool push(const Letter& letter, const std::string& place) {
    PushOptions with{.headers = options_.headers, .timeout = tick};
    with.headers.insert(with.headers.end(), letter.headers.begin(), letter.headers.end());
    auto give_up_at = steady_clock::now() + options_.patience();
    while (true) {
      const SendResult result = pusher_.push(letter.payload, with);
      if (result == SendResult::sent) return true;
      if (result == SendResult::too_large)
        throw Error{ErrorKind::usage, "send " + place, "it is larger than a message may be",
                    "send it in smaller messages"};
      waiter_.wait(milliseconds{0});
      if (waiter_.asked_to_end()) return false;
      if (result == SendResult::full) give_up_at = steady_clock::now() + options_.patience();
      if (steady_clock::now() >= give_up_at) return false;  // `finish` says what is not done
    }
  }

  /// Waits until all is done: as long as a worker is there, unless --timeout says how long.
  void finish() {
    PusherLedger ledger = pusher_.ledger();
    std::uint64_t left = ledger.waiting + ledger.out;
    auto give_up_at = steady_clock::now() + options_.patience();
    while (ledger.waiting + ledger.out > 0 && !waiter_.asked_to_stop_at_once() &&
           steady_clock::now() < give_up_at) {
      waiter_.wait(milliseconds{1});
      ledger = pusher_.ledger();
      const bool moves = ledger.waiting + ledger.out < left;
      const bool may_take_long = !options_.timeout && !waiter_.asked_to_end() && ledger.workers > 0;
      left = ledger.waiting + ledger.out;
      if (moves || may_take_long) give_up_at = steady_clock::now() + options_.patience();
    }
    say_result(ledger);
  }

  void say_result(const PusherLedger& ledger) {
    const std::uint64_t not_done = ledger.pushed - ledger.done;
    if (not_done == 0 && !unsent_) return;
    std::string cause =
        counted(not_done, "message") + " of " + std::to_string(ledger.pushed) + " not done";
    if (unsent_) cause += ", and nothing sent from " + *unsent_ + " on";
    if (ledger.given_up > 0) cause += ", " + std::to_string(ledger.given_up) + " given up";
    if (ledger.lost > 0) cause += ", " + std::to_string(ledger.lost) + " lost with a worker";
    give_up(cause);
  }

  [[noreturn]] void give_up(const std::string& cause) {
    program::give_up(subject(options_), absence(pusher_.ledger()), cause,
                     "start a puller there, or give a longer --timeout; with a stock PULL or a "
                     "streamer without --credit give --wire plain");
  }

  const MessageOptions& options_;
  Input input_;
  Waiter waiter_;
  Context context_{{.log = library_log()}};
  Pusher pusher_;
  std::optional<std::string> unsent_;  ///< The first line that was not pushed.
};

/// Through a stock PUSH, whose frames tell when they are handed to the kernel.
int push_plain(const MessageOptions& options) {
  Input input{options.files, options.whole};
  Session session{SocketType::push, options};
  Sender sender{session, options.patience()};
  std::exception_ptr bad_line;
  std::optional<std::string> unsent;
  try {
    unsent = send_lines(
        session, input, options,
        [&](Letter letter, const std::string& place) {
          if (!letter.headers.empty())
            throw Error{ErrorKind::usage, "read " + place, "--wire plain carries no headers"};
          Multipart message;
          message.push_back(tracked_frame(std::move(letter.payload)));
          return sender.send(message, place) == Sender::Outcome::sent;
        },
        [&] { sender.await_peer(); });
  } catch (const std::exception&) {
    bad_line = std::current_exception();  // what was accepted before it goes out all the same
  }
  sender.finish();
  if (unsent)
    session.give_up("ended by a signal; nothing sent from " + *unsent + " on",
                    "start the other end, or wait longer");
  if (bad_line) std::rethrow_exception(bad_line);
  return exit_ok;
}

int push(const Options& options) {
  check_wire(options.messages);
  if (options.messages.wire == Wire::plain) return push_plain(options.messages);
  return Pushing{options}.run();
}

}  // namespace

Command push_command() {
  return {
      .name = "push",
      .group = "Messages",
      .summary = "Send each line to one of the pullers",
      .details =
          "To busbar pull and other Busbar pullers, the least loaded first, directly or through a\n"
          "streamer with --credit. Ends when all is acknowledged: what a puller held when it died\n"
          "goes to another one. Exits with 4 and the number of those that are not done: without a\n"
          "puller after --timeout, and with one only if --timeout is given. A bad line ends it "
          "with\n"
          "2, after what came before it was done; a signal with 4 and the place of the first line\n"
          "that is there and was not sent. With --wire plain to any PULL, or a streamer without\n"
          "--credit: round-robin, and done is what was handed to the kernel.",
      .example = "  find /data -name '*.png' | busbar push tcp://127.0.0.1:5557",
      .declare = [](CLI::App& app) -> Run {
        auto options = std::make_shared<Options>();
        declare_common(app, options->messages);
        const CLI::Option* const ack =
            app.add_flag("--ack,!--no-ack", options->acknowledge,
                         "Keep each line until a puller is done with it; the default");
        const CLI::Option* const batch =
            app.add_flag("--batch,!--no-batch", options->batch,
                         "What waits for one puller goes together; the default");
        const CLI::Option* const attempts = numbers(
            app.add_option("--attempts", options->attempts,
                           "Give up a line after so many pullers died or failed with it; 0: never")
                ->type_name("N")
                ->capture_default_str(),
            0, std::numeric_limits<std::uint32_t>::max());
        declare_headers(app, options->messages);
        declare_wire(app, options->messages, "plain: to stock PULL", {ack, batch, attempts});
        declare_sending(app, options->messages);
        return [options, attempts] {
          if (!options->acknowledge && attempts->count() > 0)
            throw Error{ErrorKind::usage, "push", "--no-ack tries each line once",
                        "leave out --no-ack, or --attempts"};
          return push(*options);
        };
      }};
}

}  // namespace busbar::program

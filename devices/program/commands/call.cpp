#include "program/commands/commands.hpp"
#include "program/duration.hpp"
#include "program/endpoints.hpp"
#include "program/output.hpp"
#include "program/replies.hpp"
#include "program/send_lines.hpp"
#include "program/talk.hpp"

#include <future>
#include <limits>
#include <memory>
#include <vector>

#include <busbar/core/error.hpp>
#include <busbar/patterns/service_client.hpp>

namespace busbar::program {
namespace {

using std::chrono::milliseconds;

struct Options {
  MessageOptions messages;
  std::string service;
  MajordomoVersion version = MajordomoVersion::v02;
  std::vector<std::string> connect;
  std::size_t concurrency = 1;
  bool idempotent = false;
};

/// A connection to a broker has one request at a time, so each has its own, and a thread.
struct PendingCall {
  ServiceClient* client;
  std::future<ServiceReply> reply;

  bool ready() const { return wait(milliseconds{0}); }
  bool wait(milliseconds timeout) const {
    return reply.wait_for(timeout) == std::future_status::ready;
  }
};

class Calling {
 public:
  explicit Calling(const Options& options)
      : options_(options),
        input_(options.messages.files, options.messages.whole),
        how_{.name = "call",
             .connect = endpoints_to_connect(options.connect),
             .security = options.messages.security.load(),
             .version = options.version},
        replies_(waiter_, options.concurrency,
                 [this](PendingCall& pending, const std::string& place) {
                   return write(pending, place);
                 }) {}
  Calling(const Calling&) = delete;
  Calling& operator=(const Calling&) = delete;
  ~Calling() {
    if (!replies_.empty()) context_.stop(milliseconds{0});  // which ends the calls
  }

  int run() {
    const auto unsent = send_lines(waiter_, input_, options_.messages,
                                   [this](Letter letter, const std::string& place) {
                                     return replies_.add(call(std::move(letter.payload)), place);
                                   });
    replies_.finish();
    check_all_answered(waiter_, subject_, replies_.unwritten() ? replies_.unwritten() : unsent);
    return exit_ok;
  }

 private:
  PendingCall call(std::string payload) {
    if (idle_.empty()) {
      clients_.push_back(std::make_unique<ServiceClient>(context_, how_));
      idle_.push_back(clients_.back().get());
    }
    ServiceClient* const client = idle_.back();
    idle_.pop_back();
    return {client, std::async(std::launch::async, [this, client, payload = std::move(payload)] {
              return client->call(options_.service, std::string_view{payload},
                                  options_.messages.patience(),
                                  {.idempotent = options_.idempotent});
            })};
  }

  bool write(PendingCall& pending, const std::string& place) {
    const ServiceReply reply = pending.reply.get();
    try {
      reply.check();
    } catch (const RequestError& why) {
      explain(why, place, pending.client->ledger());
    }
    idle_.push_back(pending.client);
    if (options_.messages.whole) {
      for (std::size_t i = 0; i < reply.frames().size(); ++i)
        output_.buffer() += reply.frames().text(i);
    } else {
      append_line(output_.buffer(), reply.frames(), 0, options_.messages.shape());
    }
    return output_.flush();
  }

  [[noreturn]] void explain(const RequestError& why, const std::string& place,
                            const ServiceClientLedger& ledger) {
    const std::string within = " within " + format_duration(options_.messages.patience());
    if (why.outcome() == Outcome::no_peer)
      give_up(subject_, absence_of_broker(ledger), "no broker for " + place + within,
              "start it, or give a longer --timeout");
    if (why.outcome() == Outcome::expired)
      throw Error{ErrorKind::timeout, subject_, "no reply to " + place + within,
                  "is a worker there? Or give a longer --timeout"};
    throw Error{why.kind(), subject_, place + ": " + why.cause(), why.remedy()};
  }

  const Options& options_;
  const std::string subject_ = "call service '" + printable(options_.service) + "'";
  Waiter waiter_;
  Context context_{{.log = library_log()}};
  Input input_;
  const ServiceClientOptions how_;
  std::vector<std::unique_ptr<ServiceClient>> clients_;
  std::vector<ServiceClient*> idle_;
  Output output_{""};
  Replies<PendingCall> replies_;  ///< Ends first: its calls use the clients.
};

Run declare(CLI::App& app) {
  auto options = std::make_shared<Options>();
  options->messages.command = app.get_name();
  options->messages.payload_only = true;
  app.add_option("service", options->service, "The name of the service")
      ->type_name("SERVICE")
      ->required();
  add_list(app, "--connect", options->connect,
           "The broker; of several, the next one where one is not there", "ENDPOINT")
      ->required();
  declare_majordomo(app, options->version);
  declare_concurrency(app, options->concurrency, 1000);
  app.add_flag("--idempotent", options->idempotent,
               "Twice does no harm: ask again when a third of the time has passed");
  add_list(app, "--file", options->messages.files, "Read lines from this file instead of stdin",
           "FILE");
  app.add_flag("--whole", options->messages.whole,
               "Each --file (or all of stdin) is one; replies are written as they are");
  numbers(app.add_option("--count", options->messages.count, "End after so many requests")
              ->type_name("N"),
          1, std::numeric_limits<std::uint64_t>::max());
  app.add_flag("--json", options->messages.json, "A line is {\"payload\":…} in JSON");
  app.add_flag("--progress", options->messages.progress,
               "Show a progress bar on stderr even if that is no terminal");
  declare_reply_timeout(app, options->messages, "How long to wait for each reply");
  options->messages.security.declare_client(app);
  return [options] {
    if (options->service.empty())
      throw Error{ErrorKind::usage, "call", "the service's name is empty", "name a service"};
    return Calling{*options}.run();
  };
}

}  // namespace

Command call_command() {
  return {
      .name = "call",
      .group = "Messages",
      .summary = "Call a service by name with each line, and write each reply, in order",
      .details =
          "Through a Majordomo broker, as `busbar services` is one. Written is a reply's last\n"
          "frame, of one in parts the last part's; --json has the others in \"frames\", --whole\n"
          "writes them all, one behind the other. Exits with 4 where a reply or a broker does not\n"
          "come in time, and after a signal that leaves lines without a reply; with 3 where the\n"
          "connection goes meanwhile, as then nobody knows whether it was done; with 5 where keys\n"
          "do not fit or nobody reads the replies. Of many at a time each has a connection of its\n"
          "own.",
      .example = "  echo hello | busbar call echo --connect tcp://127.0.0.1:5555 --timeout 2s",
      .declare = declare};
}

}  // namespace busbar::program

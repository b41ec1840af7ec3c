#include "program/commands/commands.hpp"
#include "program/duration.hpp"
#include "program/output.hpp"
#include "program/send_lines.hpp"
#include "program/talk.hpp"

#include <future>
#include <limits>
#include <memory>

#include <busbar/core/error.hpp>
#include <busbar/patterns/service_client.hpp>

namespace busbar::program {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds tick{20};  // how late a signal is seen

struct CallOptions {
  MessageOptions messages;
  std::string service, version;
  std::vector<std::string> connect;
  bool idempotent = false;
};

class Calling {
 public:
  explicit Calling(const CallOptions& options)
      : options_(options),
        input_(options.messages.files, options.messages.whole),
        client_(context_, {.name = "call",
                           .connect = endpoints(options.connect),
                           .security = options.messages.security.load(),
                           .version = options.version == "0.1" ? MajordomoVersion::v01
                                                               : MajordomoVersion::v02}) {}

  int run() {
    send_lines(waiter_, input_, options_.messages,
               [this](const Letter& letter, const std::string& place) {
                 return call(letter.payload, place);
               });
    return exit_ok;
  }

 private:
  /// In a thread of its own, so that a signal ends it.
  bool call(const std::string& payload, const std::string& place) {
    const milliseconds patience = options_.messages.patience();
    auto pending = std::async(std::launch::async, [&] {
      return client_.call(options_.service, std::string_view{payload}, patience,
                          {.idempotent = options_.idempotent});
    });
    while (pending.wait_for(milliseconds{0}) != std::future_status::ready) {
      if (pending.wait_for(tick) == std::future_status::ready) break;
      waiter_.wait(milliseconds{0});
      if (!waiter_.asked_to_end()) continue;
      warn("ended before the reply to " + place + " came");
      context_.stop(milliseconds{0});  // which ends the call
      return false;
    }
    const ServiceReply reply = pending.get();
    if (!reply)
      throw Error{ErrorKind::timeout, "call service '" + printable(options_.service) + "'",
                  "no reply to " + place + " within " + format_duration(patience),
                  "is a worker there? Or give a longer --timeout"};
    if (options_.messages.whole && !reply.frames().empty())
      output_.buffer() += reply.frames().text(reply.frames().size() - 1);
    else if (!options_.messages.whole)
      append_line(output_.buffer(), reply.frames(), 0, options_.messages.shape());
    return output_.flush();
  }

  const CallOptions& options_;
  Waiter waiter_;
  Context context_{{.log = library_log()}};
  Input input_;
  ServiceClient client_;
  Output output_{""};
};

Run declare(CLI::App& app) {
  auto options = std::make_shared<CallOptions>();
  options->messages.command = app.get_name();
  app.add_option("service", options->service, "The name of the service")
      ->type_name("SERVICE")
      ->required();
  add_list(app, "--connect", options->connect,
           "The broker; of several, the next one after a silence", "ENDPOINT")
      ->required();
  words(app.add_option("--mdp", options->version, "The version of Majordomo"), {"0.1", "0.2"})
      ->default_str("0.2");
  app.add_flag("--idempotent", options->idempotent,
               "Twice does no harm: ask again when a third of the time has passed");
  add_list(app, "--file", options->messages.files, "Read lines from this file instead of stdin",
           "FILE");
  app.add_flag("--whole", options->messages.whole, "Send each --file (or all of stdin) as one");
  numbers(app.add_option("--count", options->messages.count, "End after so many requests")
              ->type_name("N"),
          1, std::numeric_limits<std::uint64_t>::max());
  app.add_flag("--json", options->messages.json, "A line is {\"payload\":…} in JSON");
  app.add_flag("--progress", options->messages.progress,
               "Show a progress bar on stderr even if that is no terminal");
  declare_timeout(app, options->messages, "How long to wait for each reply", "5s");
  options->messages.security.declare_client(app);
  return [options] { return Calling{*options}.run(); };
}

}  // namespace

Command call_command() {
  return {.name = "call",
          .group = "Messages",
          .summary = "Call a service by name with each line, and write each reply, in order",
          .details =
              "Through a Majordomo broker, as `busbar services` is one. Exits with 4 where a\n"
              "reply does not come in time.",
          .example = "  echo hello | busbar call echo --connect tcp://127.0.0.1:5555 --timeout 2s",
          .declare = declare};
}

}  // namespace busbar::program

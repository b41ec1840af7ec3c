// pattern_pusher bind|connect ENDPOINT NAME: pushes NAME.1, NAME.2, … and does what it is told on
// its input, a line each:
//   load N    N messages each 5 ms from now on
//   report    prints `pushed P done D given_up G lost L waiting W out O redelivered R workers N`
//   flush     prints `flushed` when all is done; at most a minute later, or what is wrong
// Prints such a report by itself every 50 ms, as the last words of one that is killed. Ends with
// its input.
#include "pattern_program.hpp"

#include <string>

#include <busbar/core/error.hpp>
#include <busbar/patterns/pusher.hpp>

using namespace busbar;
using namespace std::chrono_literals;

namespace {

struct Program {
  Program(const std::string& way, const char* endpoint, std::string own_name)
      : name(std::move(own_name)), pusher(context, options(way, endpoint)) {
    loop.every(5ms, [this] {
      for (int i = 0; i < load; ++i) push();
    });
    loop.every(50ms, [this] { report(); });
  }

  static PusherOptions options(const std::string& way, const char* endpoint) {
    // Workers are killed too often here for a last attempt.
    PusherOptions made{.attempts_max = 0, .queue_messages = 5000, .heartbeat = 100ms};
    (way == "bind" ? made.bind : made.connect) = {endpoint};
    return made;
  }
  void push() {
    if (pusher.push(name + '.' + std::to_string(next)) == SendResult::sent) ++next;
  }
  void report() const {
    const PusherLedger now = pusher.ledger();
    if (!now.reconciles()) say("wrong: the ledger does not reconcile");
    std::string line = "report";
    const auto add = [&](const char* what, std::uint64_t count) { line += item(what, count); };
    add("pushed", now.pushed);
    add("done", now.done);
    add("given_up", now.given_up);
    add("lost", now.lost);
    add("waiting", now.waiting);
    add("out", now.out);
    add("redelivered", now.redelivered);
    add("workers", now.workers);
    say(line);
  }
  void flush() {
    try {
      pusher.flush(1min);
      say("flushed");
    } catch (const Error& error) {
      say(std::string{"wrong: "} + error.what());
    }
  }
  void obey(const std::string& line) {
    if (line.starts_with("load ")) load = std::stoi(line.substr(5));
    if (line == "report") report();
    if (line == "flush") flush();
  }

  std::string name;
  Context context;
  Pusher pusher;
  EventLoop loop{context};
  std::uint64_t next = 1;
  int load = 0;
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) return 2;
  Program program{arguments[1], arguments[2], arguments[3]};
  run_by_input(program.loop, [&](const std::string& line) { program.obey(line); });
  return 0;
}

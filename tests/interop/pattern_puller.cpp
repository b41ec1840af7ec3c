// pattern_puller ENDPOINT...: does all work that it is given; prints `did NAME ATTEMPT` for each
// before it says that it is done. `report` on its input prints
//   report received R taken T done D failed F late L dropped X duplicates U waiting W held H
// Ends with its input.
#include "pattern_program.hpp"

#include <string>

#include <busbar/patterns/puller.hpp>

using namespace busbar;
using namespace std::chrono_literals;

namespace {

struct Program {
  Program(int count, char** endpoints) : puller(context, options(count, endpoints)) {
    loop.add(puller.fd(), [this] {
      puller.drain([](Work& work) {
        say("did " + std::string{work.payload()} + ' ' + std::to_string(work.attempt()));
        work.done();
      });
    });
  }

  static PullerOptions options(int count, char** endpoints) {
    PullerOptions made{.credit = 20, .heartbeat = 100ms};
    for (int i = 0; i < count; ++i) made.connect.emplace_back(endpoints[i]);
    return made;
  }
  void report() const {
    const PullerLedger now = puller.ledger();
    if (!now.reconciles()) say("wrong: the ledger does not reconcile");
    std::string line = "report";
    const auto add = [&](const char* what, std::uint64_t count) { line += item(what, count); };
    add("received", now.received);
    add("taken", now.taken);
    add("done", now.done);
    add("failed", now.failed);
    add("late", now.late);
    add("dropped", now.dropped);
    add("duplicates", now.duplicates);
    add("waiting", now.waiting);
    add("held", now.held);
    say(line);
  }

  Context context;
  Puller puller;
  EventLoop loop{context};
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) return 2;
  Program program{count - 1, arguments + 1};
  run_by_input(program.loop, [&](const std::string& line) {
    if (line == "report") program.report();
  });
  return 0;
}

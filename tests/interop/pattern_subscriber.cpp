// pattern_subscriber ENDPOINT PATTERN [print]: receives, and holds each publisher of the pattern,
// on one topic each, to its promise: in order and once, or told as a gap. Prints `wrong …` where it
// is broken; with `print` each message and gap; and on the input's line `report`
//   publisher ID first F next N delivered D lost L       for each of them, then
//   reported received R delivered D duplicates U malformed M waiting W
// `ready` prints `ready` when the publisher has welcomed it. Ends with its input.
#include "pattern_program.hpp"

#include <map>
#include <string>

#include <busbar/patterns/subscriber.hpp>

using namespace busbar;
using namespace std::chrono_literals;

namespace {

struct Seen {
  std::uint64_t first = 0;
  std::uint64_t next = 0;
  std::uint64_t delivered = 0;
  std::uint64_t lost = 0;
};

struct Program {
  Program(const char* endpoint, const char* pattern, bool prints)
      : print(prints), subscriber(context, {.connect = {endpoint}}) {
    subscriber.on_gap([this](const Gap& gap) { note(gap); });
    subscriber.subscribe(pattern);
  }

  void note(const Message& message) {
    if (print) {
      say("message " + std::string{message.topic()} + ' ' + std::to_string(message.sequence()) +
          ' ' + std::string{message.payload()});
    }
    if (message.publisher() == 0) return;
    Seen& one = seen[message.publisher()];
    advance(one, message.publisher(), message.sequence(), message.sequence());
    ++one.delivered;
  }
  void note(const Gap& gap) {
    if (print) {
      say("gap " + gap.topic + ' ' + std::to_string(gap.first) + ' ' + std::to_string(gap.last) +
          ' ' + std::string{name_of(gap.cause)});
    }
    if (gap.cause == GapCause::publisher_restarted) return;
    Seen& one = seen[gap.publisher];
    advance(one, gap.publisher, gap.first, gap.last);
    one.lost += gap.missing();
  }
  static void advance(Seen& one, std::uint64_t id, std::uint64_t first, std::uint64_t last) {
    if (one.next == 0) one.first = one.next = first;
    if (first != one.next) {
      say("wrong: of " + std::to_string(id) + item("came", first) + item("for", one.next));
    }
    one.next = last + 1;
  }
  void drain() {
    subscriber.drain([this](const Message& message) { note(message); });
  }
  void report() const {
    for (const auto& [id, one] : seen) {
      say("publisher " + std::to_string(id) + item("first", one.first) + item("next", one.next) +
          item("delivered", one.delivered) + item("lost", one.lost));
    }
    const SubscriberLedger ledger = subscriber.ledger();
    say("reported" + item("received", ledger.received) + item("delivered", ledger.delivered) +
        item("duplicates", ledger.duplicates) + item("malformed", ledger.malformed) +
        item("waiting", ledger.waiting));
  }
  void obey(const std::string& line) {
    if (line == "report") report();
    if (line == "ready") {
      subscriber.wait_ready(60s);
      say("ready");
      drain();  // it has read some
    }
  }
  void run() {
    loop.add(subscriber.fd(), [this] { drain(); });
    run_by_input(loop, [this](const std::string& line) { obey(line); });
  }

  bool print;
  Context context;
  Subscriber subscriber;
  EventLoop loop{context};
  std::map<std::uint64_t, Seen> seen;
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return 2;
  Program{arguments[1], arguments[2], count > 3}.run();
  return 0;
}

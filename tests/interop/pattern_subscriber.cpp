// pattern_subscriber ENDPOINT PATTERN [print]: receives, and holds each publisher of the pattern,
// on one topic each, to its promise: in order and once, or told as a gap. Prints `wrong …` where it
// is broken; with `print` each message and gap; and on the input's line `report`
//   publisher ID first F next N delivered D lost L       for each of them, then
//   reported received R delivered D duplicates U malformed M waiting W
// `ready` prints `ready` when the publisher has welcomed it. Ends with its input.
#include <cstdio>
#include <iostream>
#include <map>
#include <string>

#include <busbar/core/event_loop.hpp>
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

void say(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

std::string text(std::string_view name, std::uint64_t value) {
  return ' ' + std::string{name} + ' ' + std::to_string(value);
}

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
      say("wrong: of " + std::to_string(id) + text("came", first) + text("for", one.next));
    }
    one.next = last + 1;
  }
  void drain() {
    subscriber.drain([this](const Message& message) { note(message); });
  }
  void report() const {
    for (const auto& [id, one] : seen) {
      say("publisher " + std::to_string(id) + text("first", one.first) + text("next", one.next) +
          text("delivered", one.delivered) + text("lost", one.lost));
    }
    const SubscriberLedger ledger = subscriber.ledger();
    say("reported" + text("received", ledger.received) + text("delivered", ledger.delivered) +
        text("duplicates", ledger.duplicates) + text("malformed", ledger.malformed) +
        text("waiting", ledger.waiting));
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
    loop.add(0, [this] {
      std::string line;
      do std::getline(std::cin, line) ? obey(line) : loop.stop();
      while (std::cin.rdbuf()->in_avail() > 0);
    });
    loop.run();
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
  std::ios::sync_with_stdio(false);  // so that `in_avail` knows what was read
  Program{arguments[1], arguments[2], count > 3}.run();
  return 0;
}

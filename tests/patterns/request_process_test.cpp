#include "support/begun.hpp"
#include "support/folder.hpp"
#include "support/process.hpp"
#include "support/stock.hpp"

#include <cstdlib>
#include <deque>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <unistd.h>

#include <doctest/doctest.h>

#include <busbar/core/runner.hpp>
#include <busbar/devices/device.hpp>
#include <busbar/patterns/replier.hpp>
#include <busbar/patterns/requester.hpp>

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::begun;
using busbar::testing::check_once_at_most;
using busbar::testing::Outcomes;
using busbar::testing::Process;

namespace {

constexpr int count = 1500;  // of either kind
constexpr std::size_t in_flight = 40;
constexpr std::chrono::milliseconds impatient{500};

/// Servers in processes of their own, which write down what they begin; or the queue before them.
struct Crew {
  Crew(const std::string& log_file, std::vector<std::string> at, std::string how)
      : log(log_file), places(std::move(at)), way(std::move(how)) {
    for (const std::string& place : places) desks.push_back(hire(place));
  }
  Process hire(const std::string& place) const {
    return {way == "queue" ? "a queue in a process of its own" : "a desk in a process of its own",
            {"BUSBAR_DESK=" + place, "BUSBAR_WAY=" + way, "BUSBAR_LOG=" + log}};
  }
  void trouble() {
    go_on();
    const std::size_t i = random() % desks.size();
    if (random() % 2 == 0) {
      desks[i].end();
      desks[i] = hire(places[i]);
    } else {
      desks[i].send(SIGSTOP);
      stopped = &desks[i];
    }
  }
  void go_on() {
    if (stopped != nullptr) stopped->send(SIGCONT);
    stopped = nullptr;
  }
  std::string log;
  std::vector<std::string> places;
  std::string way;
  unsigned seed = std::random_device{}();
  std::mt19937 random{seed};
  std::vector<Process> desks;
  const Process* stopped = nullptr;
};

struct Asked {
  std::string text;
  bool idempotent;
  PendingReply pending;
};

/// Asks under trouble, and checks what became of each.
void ask_under_trouble(Crew& crew, Requester& ask) {
  CAPTURE(crew.seed);
  Outcomes once;
  int replied = 0;
  std::deque<Asked> out;
  const auto take = [&] {
    Asked one = std::move(out.front());
    out.pop_front();
    const Reply reply = one.pending.get();
    if (reply.ok()) {
      ++replied;
      CHECK(reply.payload() == one.text);
    }
    if (one.idempotent) CHECK(name_of(reply.outcome()) == "replied");
    if (!one.idempotent) once[one.text] = reply.outcome();
  };
  for (int i = 0; i < 2 * count; ++i) {
    if (i % 150 == 149) crew.trouble();
    const bool idempotent = i % 2 == 0;
    const std::string text = (idempotent ? "again " : "once ") + std::to_string(i);
    const RequestOptions how{.deadline = idempotent ? 1min : impatient, .idempotent = idempotent};
    out.push_back({text, idempotent, ask.request("note", text, how)});
    while (out.size() >= in_flight) {
      if (crew.desks.size() == 1) crew.go_on();  // nobody else would answer
      take();
    }
  }
  crew.go_on();
  while (!out.empty()) take();
  check_once_at_most(once, begun(crew.log));
  CHECK(replied > count);
  const RequesterLedger ledger = ask.ledger();
  CHECK(ledger.reconciles());
  CHECK(ledger.in_flight == 0);
  CHECK(ledger.malformed == 0);
}

void note_down(Replier& desk, int file) {
  desk.on("note", [file](const std::string& text) {
    const std::string line = text + '\n';
    if (write(file, line.data(), line.size()) < 0) std::abort();
    return text;
  });
}

}  // namespace

TEST_CASE("a desk in a process of its own" * doctest::skip()) {
  const char* place = std::getenv("BUSBAR_DESK");
  const char* log = std::getenv("BUSBAR_LOG");
  if (place == nullptr || log == nullptr) return;
  const int file = open(log, O_WRONLY | O_APPEND | O_CREAT, 0600);
  Context context;
  ReplierOptions options{.threads = 2};
  (std::getenv("BUSBAR_WAY") == std::string("bind") ? options.bind : options.connect) = {place};
  Replier desk{context, options};
  note_down(desk, file);
  desk.serve();
}

TEST_CASE("a queue in a process of its own" * doctest::skip()) {
  const char* place = std::getenv("BUSBAR_DESK");
  if (place == nullptr) return;
  Context context;
  QueueProxy queue{context,
                   {.frontend = {.bind = {std::string{place} + "front"}},
                    .backend = {.bind = {std::string{place} + "back"}}}};
  Runner{queue}.wait(std::chrono::hours{1});
}

TEST_CASE("servers that are killed and stopped at random: once at most, or answered") {
  const testing::Folder folder;
  Crew crew{folder.path("log"),
            {"ipc://" + folder.path("a"), "ipc://" + folder.path("b"), "ipc://" + folder.path("c")},
            "bind"};
  Context context;
  std::vector<Endpoint> servers;
  for (const std::string& place : crew.places) servers.emplace_back(place);
  Requester ask{context, {.connect = servers, .attempt_timeout = 100ms}};
  ask.wait_for_servers(3, testing::soon);
  ask_under_trouble(crew, ask);
}

TEST_CASE("workers behind a queue that are killed and stopped at random: the same") {
  const testing::Folder folder;
  Context context;
  QueueProxy queue{context,
                   {.frontend = {.bind = {"ipc://" + folder.path("front")}},
                    .backend = {.bind = {"ipc://" + folder.path("back")}}}};
  const Runner running{queue};
  const std::string back = "ipc://" + folder.path("back");
  Crew crew{folder.path("log"), {back, back, back}, "connect"};
  Requester ask{context, {.connect = queue.frontend(), .attempt_timeout = 100ms}};
  REQUIRE(ask.request("note", "hello", {.deadline = testing::soon}).get().ok());
  ask_under_trouble(crew, ask);
}

TEST_CASE("a queue that is killed and stopped while requests are on their way: the same") {
  const testing::Folder folder;
  const std::string place = "ipc://" + folder.path("");
  Crew crew{folder.path("log"), {place}, "queue"};
  Context context;
  Replier desk{context, {.connect = {place + "back"}, .threads = 2}};
  note_down(desk, open(crew.log.c_str(), O_WRONLY | O_APPEND | O_CREAT, 0600));
  std::thread serving{[&] { desk.serve(); }};
  {
    Requester ask{context, {.connect = {place + "front"}, .attempt_timeout = 100ms}};
    REQUIRE(
        ask.request("note", "hello", {.deadline = testing::soon, .idempotent = true}).get().ok());
    ask_under_trouble(crew, ask);
  }
  desk.stop(testing::soon);
  serving.join();
}

// A broker and workers in processes of their own, killed and stopped while calls are under way.
#include "support/begun.hpp"
#include "support/folder.hpp"
#include "support/process.hpp"
#include "support/stock.hpp"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <future>
#include <map>
#include <random>
#include <string>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/core/runner.hpp>
#include <busbar/devices/device.hpp>
#include <busbar/patterns/service_client.hpp>
#include <busbar/patterns/service_worker.hpp>

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::check_once_at_most;
using busbar::testing::eventually;
using busbar::testing::Outcomes;
using busbar::testing::Process;
using busbar::testing::soon;

namespace {

constexpr int askers = 4;
constexpr int calls_each = 150;

struct Site {
  Process start(const char* what) const {
    return {what,
            {"BUSBAR_BROKER=" + broker(), "BUSBAR_LOG=" + log(), "BUSBAR_MARK=" + mark(),
             "BUSBAR_PREFETCH=" + std::to_string(prefetch)}};
  }
  Process start_broker() const { return start("a broker in a process of its own"); }
  Process start_worker() const { return start("a worker in a process of its own"); }
  std::string broker() const { return "ipc://" + folder.path("broker"); }
  std::string log() const { return folder.path("log"); }
  std::string mark() const { return folder.path("mark"); }
  std::map<std::string, int> begun() const { return testing::begun(log()); }
  bool waits_until_begun(const std::string& request) const {
    return eventually([&] { return begun().contains(request); });
  }

  unsigned prefetch = 1;
  testing::Folder folder;
};

/// Calls one after the other; every second one may be done twice, and is answered in the end.
Outcomes ask(Context context, const Site& site, int who, std::atomic<int>& asked) {
  Outcomes once;
  ServiceClient client{context, site.broker()};
  for (int i = 0; i < calls_each; ++i, ++asked) {
    const bool idempotent = i % 2 == 0;
    const std::string text =
        (idempotent ? "again " : "once ") + std::to_string(who) + " " + std::to_string(i);
    const ServiceReply reply =
        client.call("note", text, idempotent ? 2min : 300ms,
                    {.idempotent = idempotent, .attempt_timeout = idempotent ? 300ms : 0ms});
    if (reply.ok()) CHECK(reply.payload() == text);
    if (idempotent) CHECK(reply.ok());
    if (!idempotent) once[text] = reply.outcome();
  }
  CHECK(client.ledger().reconciles());
  CHECK(client.ledger().malformed == 0);
  return once;
}

}  // namespace

TEST_CASE("a broker in a process of its own" * doctest::skip()) {
  const char* broker = std::getenv("BUSBAR_BROKER");
  const char* prefetch = std::getenv("BUSBAR_PREFETCH");
  if (broker == nullptr || prefetch == nullptr) return;
  Context context;
  Services services{context,
                    {.frontend = {.bind = {broker}},
                     .workers = {.heartbeat = 30ms,
                                 .expiry = 300ms,
                                 .prefetch = static_cast<std::uint32_t>(std::stoul(prefetch))}}};
  Runner running{services};
  while (!running.wait(1h)) {
  }
}

TEST_CASE("a worker in a process of its own" * doctest::skip()) {
  const char* broker = std::getenv("BUSBAR_BROKER");
  const char* log = std::getenv("BUSBAR_LOG");
  const char* mark = std::getenv("BUSBAR_MARK");
  if (broker == nullptr || log == nullptr || mark == nullptr) return;
  const int file = open(log, O_WRONLY | O_APPEND | O_CREAT, 0600);
  Context context;
  ServiceWorker worker{context,
                       {.service = "note", .connect = {broker}, .heartbeat = 30ms, .expiry = 300ms},
                       [&](const std::string& text) {
                         const std::string line = text + '\n';
                         if (write(file, line.data(), line.size()) < 0) std::abort();
                         // Whoever has it first.
                         if (text == "stop" && open(mark, O_CREAT | O_EXCL, 0600) >= 0)
                           raise(SIGSTOP);
                         return text;
                       }};
  worker.serve();
}

TEST_CASE("a worker that is stopped in mid-request: another one has it, and its answer is late") {
  Site site;
  SUBCASE("that has one at a time") {}
  SUBCASE("that may have several") { site.prefetch = 8; }
  const Process broker = site.start_broker();
  Process stopped = site.start_worker();
  Context context;
  ServiceClient client{context, site.broker()};
  CHECK(client.call("note", "ready", soon).ok());
  SUBCASE("a call that may be done twice") {
    auto pending = std::async(std::launch::async, [&] {
      return client.call("note", "stop", 2min, {.idempotent = true, .attempt_timeout = 300ms});
    });
    REQUIRE(site.waits_until_begun("stop"));
    const Process other = site.start_worker();
    CHECK(pending.get().payload() == "stop");
    CHECK(site.begun().at("stop") == 2);
    stopped.send(SIGCONT);
    CHECK(client.call("note", "next", soon).payload() == "next");
  }
  SUBCASE("one that may not") {
    CHECK(client.call("note", "stop", 500ms).outcome() == Outcome::expired);
    CHECK(client.call("note", "meanwhile", 100ms).outcome() == Outcome::expired);
    stopped.send(SIGCONT);
    CHECK(client.call("note", "next", soon).payload() == "next");
    CHECK(site.begun().at("stop") == 1);
  }
}

TEST_CASE("a broker that is stopped with a request goes on where it was") {
  const Site site;
  Process broker = site.start_broker();
  Context context;
  ServiceClient client{context, site.broker()};
  ServiceClient other{context, site.broker()};
  for (ServiceClient* one : {&client, &other}) CHECK(one->is_served("note", soon) == false);
  auto held = std::async(std::launch::async, [&] { return client.call("note", "held", 2min); });
  CHECK(other.call("note", "also", 100ms).outcome() == Outcome::expired);
  broker.send(SIGSTOP);
  const Process worker = site.start_worker();
  CHECK(other.call("note", "never", 300ms).outcome() != Outcome::replied);
  broker.send(SIGCONT);
  CHECK(held.get().payload() == "held");
  CHECK(site.begun().at("held") == 1);
}

TEST_CASE("broker and workers that are killed and stopped at random: once at most, or answered") {
  Site site;
  SUBCASE("with one request at a time") {}
  SUBCASE("with several") { site.prefetch = 8; }
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random{seed};
  Process broker = site.start_broker();
  std::vector<Process> workers;
  for (int i = 0; i < 3; ++i) workers.push_back(site.start_worker());
  Context context;
  std::atomic<int> asked = 0;
  std::vector<std::future<Outcomes>> asking;
  for (int who = 0; who < askers; ++who) {
    asking.push_back(
        std::async(std::launch::async, [&, who] { return ask(context, site, who, asked); }));
  }
  ServiceClient meanwhile{context, site.broker()};
  const Process* stopped = nullptr;
  const auto go_on = [&] {
    if (stopped != nullptr) stopped->send(SIGCONT);
    stopped = nullptr;
  };
  for (int next = 40; next < askers * calls_each; next += 40) {
    REQUIRE(eventually([&] { return asked >= next; }));
    go_on();
    const std::size_t victim = random() % (workers.size() + 1);
    const bool is_broker = victim == workers.size();
    Process& process = is_broker ? broker : workers[victim];
    if (random() % 2 == 0) {
      process.end();
      process = is_broker ? site.start_broker() : site.start_worker();
    } else {
      process.send(SIGSTOP);
      stopped = &process;
      // A whole call long, as without it the others come to a standstill.
      if (is_broker) CHECK_FALSE(meanwhile.call("note", "meanwhile", 400ms).ok());
      if (is_broker) go_on();
    }
  }
  go_on();
  for (std::future<Outcomes>& one : asking) {
    const Outcomes once = one.get();
    check_once_at_most(once, site.begun());
  }
}

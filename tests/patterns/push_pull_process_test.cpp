#include "support/process.hpp"
#include "support/stock.hpp"

#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include <busbar/patterns/puller.hpp>
#include <busbar/patterns/pusher.hpp>

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::any_port;
using busbar::testing::Process;
using busbar::testing::soon;

namespace {

constexpr std::chrono::milliseconds heartbeat{100};

Process hire(const Pusher& jobs, const Puller& results) {
  return {"a worker in a process of its own",
          {"BUSBAR_JOBS=" + jobs.bound().front().str(),
           "BUSBAR_RESULTS=" + results.bound().front().str()}};
}

/// What a worker had told of, and not answered for when it died, is done once more and told again:
/// whoever does not listen any more keeps the one that does it from its end.
void settle(Pusher& jobs, Puller& results, std::size_t count) {
  REQUIRE(testing::eventually([&] {
    while (auto again = results.receive()) again->done();
    const PusherLedger ledger = jobs.ledger();
    return ledger.done + ledger.given_up == count;
  }));
}

}  // namespace

/// Tells its result before it says that the work is done, and dies of poison.
TEST_CASE("a worker in a process of its own" * doctest::skip()) {
  const char* jobs = std::getenv("BUSBAR_JOBS");
  const char* back = std::getenv("BUSBAR_RESULTS");
  if (jobs == nullptr || back == nullptr) return;
  Context context;
  Puller mine{context, {.connect = {jobs}, .credit = 8, .heartbeat = heartbeat}};
  Pusher results{context, {.connect = {back}, .heartbeat = heartbeat}};
  for (Work& work : mine.work()) {
    if (work.payload() == "poison") std::raise(SIGKILL);
    if (results.push(work.payload(), {.timeout = soon}) != SendResult::sent) return;
    results.flush(soon);
    work.done();
  }
}

TEST_CASE("workers that are killed and stopped at random, under load, lose nothing") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random{seed};
  constexpr std::size_t count = 4000;
  Context context;
  Pusher jobs{context, {.bind = {any_port}, .heartbeat = heartbeat}};
  Puller results{context, {.bind = {any_port}, .credit = 1000, .heartbeat = heartbeat}};
  for (std::size_t i = 0; i < count; ++i) {
    REQUIRE(jobs.push(std::to_string(i)) == SendResult::sent);
  }
  std::vector<Process> crew;
  for (int i = 0; i < 3; ++i) crew.push_back(hire(jobs, results));

  std::map<std::string, int> done;
  const Process* stopped = nullptr;
  int received = 0;
  const auto trouble = [&] {
    if (stopped != nullptr) stopped->send(SIGCONT);
    Process& victim = crew[random() % crew.size()];
    stopped = nullptr;
    if (random() % 2 == 0) {
      victim.end();
      victim = hire(jobs, results);
    } else {
      victim.send(SIGSTOP);
      stopped = &victim;
    }
  };
  while (done.size() < count) {
    auto result = results.receive(soon);
    REQUIRE(result);
    ++done[std::string(result->payload())];
    result->done();
    if (++received % 300 == 0) trouble();
  }
  if (stopped != nullptr) stopped->send(SIGCONT);
  settle(jobs, results, count);
  const PusherLedger ledger = jobs.ledger();
  CHECK(ledger.done == count);
  CHECK(ledger.redelivered > 0);
  CHECK(ledger.reconciles());
  CHECK(results.ledger().reconciles());
}

TEST_CASE("a message that kills every worker is given up, and nothing beside it is") {
  constexpr std::size_t count = 200;
  Context context;
  Pusher jobs{context, {.bind = {any_port}, .attempts_max = 3, .heartbeat = heartbeat}};
  Puller results{context, {.bind = {any_port}, .credit = 1000, .heartbeat = heartbeat}};
  std::vector<std::string> parked;
  jobs.on_give_up([&](Message&& one) { parked.emplace_back(one.payload()); });
  for (std::size_t i = 0; i < count; ++i) {
    REQUIRE(jobs.push(i == 20 ? "poison" : std::to_string(i)) == SendResult::sent);
  }
  std::vector<Process> crew;
  for (int i = 0; i < 4; ++i) crew.push_back(hire(jobs, results));  // one more than it may kill
  std::set<std::string> done;
  while (done.size() < count - 1) {
    auto result = results.receive(soon);
    REQUIRE(result);
    done.insert(std::string(result->payload()));
    result->done();
  }
  settle(jobs, results, count);
  CHECK(jobs.ledger().given_up == 1);
  (void)jobs.stop(0ms);
  CHECK(parked == std::vector<std::string>{"poison"});
}

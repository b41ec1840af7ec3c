#include "support/stock.hpp"

#include <algorithm>
#include <atomic>
#include <optional>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include <busbar/devices/device.hpp>
#include <busbar/patterns/puller.hpp>
#include <busbar/patterns/pusher.hpp>

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::any_port;
using busbar::testing::eventually;
using busbar::testing::soon;

namespace {

DeviceOptions with_credit() {
  return {.frontend = {.bind = {any_port}}, .backend = {.bind = {any_port}}, .credit = true};
}

/// Does all that comes until `count` different ones were done.
void work_off(Puller& puller, std::size_t count) {
  std::set<std::string> done;
  while (done.size() < count) {
    auto work = puller.receive(soon);
    REQUIRE(work);
    done.insert(std::string(work->payload()));
    work->done();
  }
}

void push_all(Pusher& jobs, int count) {
  for (int i = 0; i < count; ++i) {
    REQUIRE(jobs.push(std::to_string(i), {.timeout = soon}) == SendResult::sent);
  }
}

}  // namespace

TEST_CASE("a streamer with credit answers for work when a worker has, and not before") {
  Context context;
  Streamer device{context, with_credit()};
  Runner running{device};
  Pusher jobs{context, {.connect = device.frontend()}};
  push_all(jobs, 100);
  Puller mine{context, {.connect = device.backend(), .credit = 4}};
  auto first = mine.receive(soon);
  REQUIRE(first);
  CHECK(jobs.ledger().done == 0);
  CHECK(jobs.ledger().out <= 4);  // no more than the workers ask for
  first->done();
  work_off(mine, 99);
  jobs.flush(soon);
  CHECK(jobs.ledger().done == 100);
  REQUIRE(eventually([&] { return device.ledger().backend.sent == 100; }));
  CHECK(device.ledger().frontend.received == 100);
  CHECK(device.ledger().reconciles());
}

TEST_CASE("what a worker behind a streamer had goes to another one, and says so") {
  Context context;
  Streamer device{context, with_credit()};
  Runner running{device};
  Pusher jobs{context, {.connect = device.frontend(), .attempts_max = 3}};
  std::atomic<int> given_up = 0;
  jobs.on_give_up([&](Message&& poison) {
    given_up += poison.payload() == "0" && poison.header("busbar-failure") == "broken";
  });
  push_all(jobs, 3);
  {
    Puller gone{context, {.connect = device.backend(), .credit = 1}};
    REQUIRE(gone.receive(soon));
  }
  Puller mine{context, {.connect = device.backend(), .credit = 1}};
  std::set<std::string> done;
  std::uint32_t most_attempts = 0;
  while (done.size() < 2) {
    auto work = mine.receive(soon);
    REQUIRE(work);
    most_attempts = std::max(most_attempts, work->attempt());
    if (work->payload() == "0") {
      work->failed("broken");
    } else {
      done.insert(std::string(work->payload()));
      work->done();
    }
  }
  while (given_up == 0) {
    if (auto work = mine.receive()) {
      most_attempts = std::max(most_attempts, work->attempt());
      work->failed("broken");
    }
  }
  jobs.flush(soon);
  CHECK(most_attempts == 3);
  CHECK(jobs.ledger().given_up == 1);
  CHECK(jobs.ledger().done == 2);
}

TEST_CASE("work passes two streamers with credit, stages and headers included") {
  Context context;
  Streamer inner{context, with_credit()};
  DeviceOptions options = with_credit();
  options.backend = {.connect = inner.frontend()};
  Streamer outer{context, options};
  Runner one{inner};
  Runner other{outer};
  Pusher jobs{context, {.connect = outer.frontend()}};
  Puller mine{context, {.connect = inner.backend(), .credit = 8}};
  REQUIRE(jobs.push("first", {.headers = {{"trace", "abc"}}}) == SendResult::sent);
  auto work = mine.receive(soon);
  REQUIRE(work);
  CHECK(work->header("trace") == "abc");
  work->done();
  push_all(jobs, 1000);
  work_off(mine, 1000);
  jobs.flush(soon);
  CHECK(jobs.ledger().redelivered == 0);
}

TEST_CASE("a streamer with credit that is stopped or replaced loses nothing") {
  Context context;
  Pusher jobs{context, {.bind = {any_port}}};
  Puller mine{context, {.bind = {any_port}, .credit = 4}};
  const DeviceOptions options{
      .frontend = {.connect = jobs.bound()}, .backend = {.connect = mine.bound()}, .credit = true};
  push_all(jobs, 300);
  std::optional<Streamer> device{std::in_place, context, options};
  std::optional<Runner> running{*device};
  work_off(mine, 100);
  device->pause();
  device->resume();
  running.reset();
  device.emplace(context, options);
  running.emplace(*device);
  std::set<std::string> done;
  while (jobs.ledger().done < 300) {
    if (auto work = mine.receive()) work->done();
  }
  CHECK(jobs.ledger().reconciles());
  CHECK(running->stop(soon).abandoned == 0);
}

TEST_CASE("credit is for streamers, and for one endpoint where a side connects") {
  Context context;
  CHECK_THROWS_WITH_AS((Forwarder{context, with_credit()}),
                       doctest::Contains("credit is for streamers"), Error);
  DeviceOptions two = with_credit();
  two.backend = {.connect = {"tcp://127.0.0.1:1", "tcp://127.0.0.1:2"}};
  CHECK_THROWS_WITH_AS((Streamer{context, two}), doctest::Contains("connects to one endpoint"),
                       Error);
}

#include "support/desk.hpp"
#include "support/device_bench.hpp"
#include "support/folder.hpp"

#include <atomic>
#include <future>
#include <utility>

#include <doctest/doctest.h>

#include <busbar/devices/device.hpp>
#include <busbar/patterns/requester.hpp>

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::Account;
using busbar::testing::any_port;
using busbar::testing::at;
using busbar::testing::Balance;
using busbar::testing::Desk;
using busbar::testing::eventually;
using busbar::testing::soon;

namespace {

Outcome outcome_of(Requester& ask, const char* method, std::string_view payload = "") {
  return ask.request(method, payload, {.deadline = soon}).get().outcome();
}

}  // namespace

TEST_CASE("requests of all forms are answered, over every transport, directly and through queues") {
  const testing::Folder folder;
  for (const std::string& endpoint :
       {std::string("inproc://desk"), "ipc://" + folder.path("desk"), std::string(any_port)}) {
    for (const int queues : {0, 1, 2}) {
      for (const unsigned threads : {1u, 4u}) {
        CAPTURE(endpoint);
        CAPTURE(queues);
        CAPTURE(threads);
        Context context;
        std::vector<std::unique_ptr<QueueProxy>> devices;
        std::vector<Runner> running;
        for (int i = 0; i < queues; ++i) {
          DeviceOptions options{.name = "q" + std::to_string(i),
                                .frontend = {.bind = {i == 0 ? endpoint : any_port}},
                                .backend = {.bind = {any_port}}};
          if (i == 1) {
            options.frontend = {.connect = devices[0]->backend()};
          }
          devices.push_back(std::make_unique<QueueProxy>(context, options));
          running.emplace_back(*devices.back());
        }
        ReplierOptions how{.threads = threads};
        if (queues == 0) how.bind = {endpoint};
        if (queues > 0) how.connect = devices.back()->backend();
        Desk desk{context, how};
        Requester ask{context, {.connect = queues == 0 ? at(desk) : devices.front()->frontend()}};
        const RequestOptions patient{.deadline = soon};
        CHECK(ask.request("balance", Account{7}, patient).get<Balance>().cents == 700);
        CHECK(ask.request("echo", "hello", patient).get<std::string>() == "hello");
        ask.request("nothing", "", patient).get<void>();
        CHECK(desk.nothings == 1);
        std::vector<PendingReply> many;
        for (int i = 0; i < 200; ++i) many.push_back(ask.request("balance", Account{i}, patient));
        for (std::size_t i = 0; i < 200; ++i)
          CHECK(many[i].get<Balance>().cents == 100 * static_cast<int>(i));
        std::promise<std::string> called;
        ask.request("echo", "back", patient,
                    [&](Reply&& reply) { called.set_value(reply.as<std::string>()); });
        CHECK(called.get_future().get() == "back");
        CHECK(ask.ledger().replied == 204);
        CHECK(ask.ledger().reconciles());
        CHECK(desk.replier.ledger().replied == 204);
        CHECK(desk.replier.ledger().reconciles());
      }
    }
  }
}

TEST_CASE("what fails at the replier arrives as a typed error") {
  Context context;
  Desk desk{context, {.bind = {any_port}}};
  Requester ask{context, {.connect = at(desk)}};
  try {
    ask.request("fail", 1).get<int>();
    FAIL("nothing was thrown");
  } catch (const RequestError& error) {
    CHECK(error.outcome() == Outcome::failed);
    CHECK(std::string_view(error.what()) == "request 'fail': it failed: no such account");
  }
  try {
    ask.request("error", "").get<int>();
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::timeout);
    CHECK(error.cause().find("it sleeps") != std::string::npos);
  }
  CHECK(outcome_of(ask, "drop") == Outcome::failed);
  CHECK(outcome_of(ask, "balance", "no account") == Outcome::refused);
  CHECK(outcome_of(ask, "no such method") == Outcome::refused);
  CHECK(outcome_of(ask, std::string(241, 'm').c_str()) == Outcome::refused);
  CHECK(ask.ledger().reconciles());
  const ReplierLedger ledger = desk.replier.ledger();
  CHECK(ledger.failed == 3);
  CHECK(ledger.refused == 2);
  CHECK(ledger.reconciles());
}

TEST_CASE("the deadline travels along, shrinks, and ends it") {
  Context context;
  Desk desk{context, {.bind = {any_port}}};
  Requester ask{context, {.connect = at(desk)}};
  const auto left = ask.request("left", 0, {.deadline = 60s}).get<std::int64_t>();
  CHECK(left <= 60'000);
  CHECK(left > 30'000);
  CHECK(ask.request("keep", "", {.deadline = 30ms}).get().outcome() == Outcome::expired);
  // Through another requester, as what is asked for its sake would be.
  REQUIRE(eventually([&] { return desk.keeps() == 1; }));
  CHECK(desk.kept[0].left() == 0ms);
  CHECK(desk.kept[0].cancelled());
  desk.kept[0].reply("too late");
  // Either the replier was told, or its reply came late: nobody got it.
  REQUIRE(eventually([&] {
    CHECK(outcome_of(ask, "echo") == Outcome::replied);
    return desk.replier.ledger().cancelled + ask.ledger().late == 1;
  }));
  CHECK(ask.ledger().expired == 1);
  CHECK(ask.ledger().reconciles());
}

TEST_CASE("what waits behind a slow handler is not begun once its deadline has passed") {
  Context context;
  Replier replier{context, {.bind = {any_port}}};
  std::atomic<int> begun = 0;
  std::promise<void> go_on;
  replier.on("slow", [&, gate = std::make_shared<std::future<void>>(go_on.get_future())](int) {
    gate->wait();
  });
  replier.on("quick", [&](int) { ++begun; });
  replier.on("hello", [] {});
  std::thread thread{[&] { replier.serve(); }};
  Requester ask{context, {.connect = replier.bound()}};
  REQUIRE(outcome_of(ask, "hello") == Outcome::replied);
  PendingReply slow = ask.request("slow", 1, {.deadline = soon});
  PendingReply quick = ask.request("quick", 1, {.deadline = 20ms});
  CHECK(quick.get().outcome() == Outcome::expired);
  go_on.set_value();
  CHECK(slow.get().ok());
  REQUIRE(eventually([&] {
    const ReplierLedger ledger = replier.ledger();
    return ledger.expired + ledger.cancelled == 1;
  }));
  CHECK(begun == 0);
  replier.stop(soon);
  thread.join();
}

TEST_CASE("a first request that lay in a queue beyond its deadline is not begun") {
  Context context;
  QueueProxy queue{context, {.frontend = {.bind = {any_port}}, .backend = {.bind = {any_port}}}};
  Runner running{queue};
  Requester impatient{context, {.connect = queue.frontend()}};
  impatient.wait_for_servers(1, soon);
  CHECK(impatient.request("nothing", "", {.deadline = 30ms}).get().outcome() == Outcome::expired);
  Desk desk{context, {.connect = queue.backend()}};
  Requester ask{context, {.connect = queue.frontend()}};
  CHECK(outcome_of(ask, "nothing") == Outcome::replied);
  REQUIRE(eventually([&] { return desk.replier.ledger().expired == 1; }));
  CHECK(desk.nothings == 1);
}

TEST_CASE("a cancellation reaches the replier, also while the only thread is in the handler") {
  Context context;
  Replier replier{context, {.bind = {any_port}}};
  std::promise<void> begun;
  replier.on("long", [&](int, const Request& request) {
    begun.set_value();
    REQUIRE(eventually([&] { return request.cancelled(); }));
  });
  replier.on("hello", [] {});
  std::thread thread{[&] { replier.serve(); }};
  Requester ask{context, {.connect = replier.bound()}};
  REQUIRE(ask.request("hello", "").get().ok());  // from here on it is known who serves
  PendingReply pending = ask.request("long", 1, {.deadline = 1min});
  begun.get_future().wait();
  pending.cancel();
  CHECK(pending.get().outcome() == Outcome::cancelled);
  CHECK(ask.ledger().cancels == 1);
  REQUIRE(eventually([&] { return replier.ledger().cancelled == 1; }));
  replier.stop(soon);
  thread.join();
  CHECK(replier.ledger().reconciles());
}

TEST_CASE("what is given back is told while the only thread is in a handler that looks") {
  Context context;
  Replier replier{context, {.bind = {any_port}, .waiting_max = 1}};
  std::atomic<bool> begun = false;
  std::atomic<bool> over = false;
  replier.on("long", [&](Request request) {
    begun = true;
    REQUIRE(eventually([&] { return request.cancelled() || over; }));
    request.reply("");
  });
  std::thread thread{[&] { replier.serve(); }};
  Requester ask{context, {.connect = replier.bound()}};
  std::vector<PendingReply> all;
  const auto another = [&] { all.push_back(ask.request("long", "", {.deadline = 1min})); };
  another();
  REQUIRE(eventually([&] { return begun.load(); }));
  for (int i = 0; i < 4; ++i) another();
  CHECK(eventually([&] { return ask.ledger().refused == 3; }));
  over = true;
  for (PendingReply& one : all) one.get();
  replier.stop(soon);
  thread.join();
  CHECK(replier.ledger().replied == 2);
}

TEST_CASE("no peer is told at once where it can be known, and waited for where it may") {
  const testing::Folder folder;
  Context context;
  const std::vector<Endpoint> gone{"ipc://" + folder.path("desk")};
  {
    Desk desk{context, {.bind = gone}};
    Requester ask{context, {.connect = gone}};
    REQUIRE(outcome_of(ask, "echo") == Outcome::replied);
  }
  Requester ask{context, {.connect = gone}};
  CHECK(ask.request("echo", "", {.deadline = 1min}).get().outcome() == Outcome::no_peer);
  CHECK_THROWS_WITH_AS(ask.request("echo", "", {.deadline = 1min}).get<std::string>(),
                       "request 'echo': no server is there (start a server)", RequestError);
  PendingReply patient = ask.request("echo", "x", {.deadline = soon, .idempotent = true});
  CHECK_FALSE(patient.ready());
  Desk desk{context, {.bind = gone}};
  CHECK(patient.get<std::string>() == "x");
  CHECK(ask.ledger().reconciles());
}

TEST_CASE("a replier that stops gives back what it did not begin, and another one does it") {
  Context context;
  Desk second{context, {.bind = {any_port}}};
  auto first = std::make_unique<Desk>(context, ReplierOptions{.bind = {any_port}});
  Requester ask{context, {.connect = {at(*first)[0], at(second)[0]}, .choice = Choice::failover}};
  ask.wait_for_servers(2, soon);
  REQUIRE(outcome_of(ask, "nothing") == Outcome::replied);
  CHECK(first->nothings == 1);
  PendingReply out = ask.request("keep", "", {.deadline = soon});
  REQUIRE(eventually([&] { return first->keeps() == 1; }));
  first->kept.clear();
  CHECK(out.get().outcome() == Outcome::failed);
  PendingReply lost = ask.request("keep", "", {.deadline = soon});
  PendingReply again = ask.request("keep", "", {.deadline = soon, .idempotent = true});
  REQUIRE(eventually([&] { return first->keeps() == 2; }));
  const std::vector<Request> held = std::move(first->kept);
  first->replier.stop(0ms);
  CHECK(lost.get().outcome() == Outcome::lost);
  REQUIRE(eventually([&] { return again.ready() || second.keeps() == 1; }));
  second.kept[0].reply("done");
  CHECK(again.get<std::string>() == "done");
  CHECK(ask.ledger().retried == 1);
  CHECK(ask.ledger().reconciles());
}

TEST_CASE("a full replier gives back, a full requester refuses") {
  Context context;
  Desk desk{context, {.bind = {any_port}, .waiting_max = 1}};
  Requester ask{context, {.connect = at(desk), .in_flight_max = 2}};
  REQUIRE(outcome_of(ask, "nothing") == Outcome::replied);
  PendingReply one = ask.request("keep", "");
  PendingReply two = ask.request("keep", "");
  Reply refused = ask.request("keep", "").get();
  CHECK(refused.outcome() == Outcome::refused);
  CHECK(refused.reason() == "2 requests are unanswered (in_flight_max)");
  one.cancel();
  two.cancel();
  CHECK(ask.ledger().reconciles());
  CHECK(ask.ledger().refused == 1);
}

TEST_CASE("methods that have no handler go to one for all others, which may end the replier") {
  Context context;
  Replier replier{context, {.bind = {any_port}}};
  replier.on("one", [] { return std::string("its own"); });
  replier.otherwise([&](Request request) {
    const bool last = request.method() == "end";
    request.reply("otherwise " + std::string(request.method()));
    if (last) replier.stop(0ms);
  });
  std::thread thread{[&] { replier.serve(); }};
  Requester ask{context, {.connect = replier.bound()}};
  CHECK(ask.request("one", "").get<std::string>() == "its own");
  CHECK(ask.request("two", "").get<std::string>() == "otherwise two");
  CHECK(ask.request("end", "").get<std::string>() == "otherwise end");
  thread.join();
}

TEST_CASE("several threads share a requester, and several a replier") {
  Context context;
  Desk desk{context, {.bind = {any_port}, .threads = 4}};
  Requester ask{context, {.connect = at(desk)}};
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  std::atomic<int> called = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        const std::string text = std::to_string(t) + "." + std::to_string(i);
        if (i % 3 == 0) {
          ask.request("echo", text, {.deadline = 1min}, [&, text](Reply&& reply) {
            if (reply.as<std::string>() == text) ++right;
            ++called;
          });
        } else if (ask.request("echo", text, {.deadline = 1min}).get<std::string>() == text) {
          ++right;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  REQUIRE(eventually([&] { return called == 4 * 167; }));
  CHECK(right == 2000);
  CHECK(ask.ledger().replied == 2000);
  CHECK(ask.ledger().retried == 0);
  CHECK(desk.replier.ledger().replied == 2000);
}

TEST_CASE("a callback may ask again, and wait for the answer") {
  Context context;
  Desk desk{context, {.bind = {any_port}}};
  Requester ask{context, {.connect = at(desk)}};
  std::promise<std::string> end;
  ask.request("echo", "1", {}, [&](Reply&& one) {
    const std::string two = ask.request("echo", one.as<std::string>() + "2").get<std::string>();
    ask.request("echo", two + "3", {},
                [&](Reply&& three) { end.set_value(three.as<std::string>()); });
  });
  CHECK(end.get_future().get() == "123");
}

TEST_CASE("what is under way when a requester ends is cancelled, and so is what nobody waits for") {
  Context context;
  Desk desk{context, {.bind = {any_port}}};
  std::optional<PendingReply> left_over;
  std::atomic<int> called = 0;
  {
    Requester ask{context, {.connect = at(desk)}};
    REQUIRE(outcome_of(ask, "nothing") == Outcome::replied);
    { const PendingReply forgotten = ask.request("keep", ""); }
    CHECK(ask.ledger().cancelled == 1);
    ask.request("keep", "", {}, [&](Reply&& reply) {
      if (reply.outcome() == Outcome::cancelled) ++called;
    });
    left_over.emplace(ask.request("keep", ""));
    const StopReport report = ask.stop(0ms);
    CHECK(report.abandoned == 2);
    CHECK_THROWS_AS((void)ask.request("keep", ""), Error);
  }
  CHECK(called == 1);
  CHECK(left_over->get().outcome() == Outcome::cancelled);
}

TEST_CASE("a set-up that cannot work says so") {
  Context context;
  CHECK_THROWS_WITH_AS(
      Requester(context, RequesterOptions{}),
      "requester 'requester': it has 0 servers to connect to (give 1 to 64; a queue may stand "
      "before more of them)",
      Error);
  CHECK_THROWS_AS(Replier(context, ReplierOptions{.bind = {any_port}, .threads = 0}), Error);
  for (const std::uint32_t batch : {0u, 1001u})
    CHECK_THROWS_AS(Requester(context, {.connect = {"inproc://desk"}, .batch_messages = batch}),
                    Error);
  Desk desk{context, {.bind = {any_port}}};
  REQUIRE(eventually([&] {
    try {
      desk.replier.on("late", [] {});
      return false;
    } catch (const Error&) {
      return true;
    }
  }));
  CHECK_THROWS_AS(desk.replier.serve(), Error);
}

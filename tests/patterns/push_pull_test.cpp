#include "support/folder.hpp"
#include "support/stock.hpp"

#include <atomic>
#include <future>
#include <mutex>
#include <poll.h>
#include <set>
#include <thread>

#include <doctest/doctest.h>

#include <busbar/core/event_loop.hpp>
#include <busbar/patterns/puller.hpp>
#include <busbar/patterns/pusher.hpp>

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::any_port;
using busbar::testing::eventually;
using busbar::testing::soon;
using busbar::testing::Stock;

namespace {

void push_all(Pusher& jobs, int count, int from = 0) {
  for (int i = from; i < from + count; ++i) {
    REQUIRE(jobs.push(std::to_string(i), {.timeout = soon}) == SendResult::sent);
  }
}

/// Workers that do everything until they are stopped.
class Crew {
 public:
  Puller& add(Context& context, PullerOptions options) {
    pullers_.push_back(std::make_unique<Puller>(context, std::move(options)));
    Puller& puller = *pullers_.back();
    threads_.emplace_back([&puller, this] {
      for (Work& work : puller.work()) {
        {
          const std::scoped_lock lock(mutex_);
          done_.insert(std::string(work.payload()));
        }
        work.done();
      }
    });
    return puller;
  }
  ~Crew() {
    for (auto& puller : pullers_) puller->stop();
    for (std::thread& thread : threads_) thread.join();
  }
  std::size_t different() const {
    const std::scoped_lock lock(mutex_);
    return done_.size();
  }
  const std::vector<std::unique_ptr<Puller>>& pullers() const { return pullers_; }

 private:
  mutable std::mutex mutex_;
  std::multiset<std::string> done_;
  std::vector<std::unique_ptr<Puller>> pullers_;
  std::vector<std::thread> threads_;
};

}  // namespace

TEST_CASE("what is pushed is done, over every transport, whoever binds") {
  const testing::Folder folder;
  for (const std::string& endpoint :
       {std::string("inproc://jobs"), "ipc://" + folder.path("jobs"), std::string(any_port)}) {
    for (const bool pusher_binds : {true, false}) {
      CAPTURE(endpoint);
      CAPTURE(pusher_binds);
      Context context;
      Crew crew;
      std::optional<Pusher> jobs;
      if (pusher_binds) {
        jobs.emplace(context, PusherOptions{.bind = {endpoint}});
        for (int i = 0; i < 2; ++i) crew.add(context, {.connect = jobs->bound()});
      } else {
        std::vector<Endpoint> ends;
        for (int i = 0; i < 2; ++i) {
          const std::string mine = endpoint == any_port ? endpoint : endpoint + std::to_string(i);
          ends.push_back(crew.add(context, {.bind = {mine}}).bound().front());
        }
        jobs.emplace(context, PusherOptions{.connect = ends});
      }
      jobs->wait_for_workers(2, soon);
      push_all(*jobs, 1000);
      jobs->flush(soon);
      CHECK(crew.different() == 1000);
      const PusherLedger ledger = jobs->ledger();
      CHECK(ledger.done == 1000);
      CHECK(ledger.reconciles());
      for (const auto& puller : crew.pullers()) {
        CHECK(puller->ledger().reconciles());
        CHECK(puller->ledger().done > 0);
      }
    }
  }
}

TEST_CASE("several pushers and pullers, each connected to each") {
  Context context;
  std::vector<std::unique_ptr<Pusher>> pushers;
  std::vector<Endpoint> ends;
  for (int i = 0; i < 3; ++i) {
    pushers.push_back(std::make_unique<Pusher>(context, PusherOptions{.bind = {any_port}}));
    ends.push_back(pushers.back()->bound().front());
  }
  Crew crew;
  for (int i = 0; i < 3; ++i) crew.add(context, {.connect = ends});
  for (int i = 0; i < 3; ++i) push_all(*pushers[static_cast<std::size_t>(i)], 500, 1000 * i);
  for (auto& pusher : pushers) pusher->flush(soon);
  CHECK(crew.different() == 1500);
}

TEST_CASE("work has its type, its headers and its number") {
  Context context;
  Pusher jobs{context, {.bind = {any_port}}};
  Puller mine{context, {.connect = jobs.bound()}};
  REQUIRE(jobs.push(std::vector<int>{1, 2, 3}, {.headers = {{"trace", "abc"}}}) ==
          SendResult::sent);
  auto work = mine.receive(soon);
  REQUIRE(work);
  CHECK(work->as<std::vector<int>>() == std::vector<int>{1, 2, 3});
  CHECK(work->header("trace") == "abc");
  CHECK(work->message().sequence() == 1);
  CHECK(work->message().publisher() != 0);
  CHECK(work->attempt() == 1);
  CHECK_FALSE(work->redelivered());
  CHECK_FALSE(mine.receive());
}

TEST_CASE("whatever on_give_up throws, the pusher goes on") {
  Context context;
  Pusher jobs{context, {.bind = {any_port}, .attempts_max = 1}};
  jobs.on_give_up([](Message&&) { throw 5; });
  Puller mine{context, {.connect = jobs.bound()}};
  for (const char* text : {"one", "two"}) {
    REQUIRE(jobs.push(text) == SendResult::sent);
    auto work = mine.receive(soon);
    REQUIRE(work);
    work->failed("no such file");
    jobs.flush(soon);
  }
  CHECK(jobs.ledger().given_up == 2);
}

TEST_CASE("work that is not done goes to another worker, and in the end to a callback") {
  Context context;
  Pusher jobs{context, {.bind = {any_port}, .attempts_max = 2}};
  std::promise<Message> parked;
  jobs.on_give_up([&](Message&& poison) { parked.set_value(std::move(poison)); });
  Puller a{context, {.connect = jobs.bound()}};
  Puller b{context, {.connect = jobs.bound()}};
  jobs.wait_for_workers(2, soon);
  REQUIRE(jobs.push("poison") == SendResult::sent);
  Puller* first = nullptr;
  REQUIRE(eventually([&] {
    for (Puller* one : {&a, &b}) {
      if (first == nullptr && one->receive()) first = one;
    }
    return first != nullptr;
  }));
  Puller& second = first == &a ? b : a;
  auto again = second.receive(soon);
  REQUIRE(again);
  CHECK(again->redelivered());
  again->failed("no such file");
  const Message poison = parked.get_future().get();
  CHECK(poison.payload() == "poison");
  CHECK(poison.header("busbar-failure") == "no such file");
  jobs.flush(soon);
  CHECK(jobs.ledger().given_up == 1);
  CHECK(jobs.ledger().reconciles());
}

TEST_CASE("poison work does not spin, and a flush says what was given up") {
  Context context;
  Pusher jobs{context, {.bind = {any_port}, .attempts_max = 3, .retry_after = 20ms}};
  Puller mine{context, {.connect = jobs.bound()}};
  push_all(jobs, 1);
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint32_t attempt = 1; attempt <= 3; ++attempt) {
    auto work = mine.receive(soon);
    REQUIRE(work);
    CHECK(work->attempt() == attempt);
    work->failed("no such file");
  }
  CHECK(std::chrono::steady_clock::now() - begin >= 60ms);
  CHECK_THROWS_WITH_AS(jobs.flush(soon),
                       doctest::Contains("1 of 1 messages were given up after 3 attempts"), Error);
  jobs.flush(soon);  // it is said once
  CHECK(jobs.ledger().given_up == 1);
  CHECK_THROWS_WITH_AS((Pusher{context, {.bind = {any_port}, .retry_after = -1ms}}),
                       doctest::Contains("retry_after is negative"), Error);
}

TEST_CASE("what a worker held when it went is done by another one") {
  Context context;
  Pusher jobs{context, {.bind = {any_port}}};
  push_all(jobs, 10);
  {
    Puller gone{context, {.connect = jobs.bound()}};
    auto held = gone.receive(soon);
    REQUIRE(held);
    Puller left = std::move(gone);
  }
  Crew crew;
  crew.add(context, {.connect = jobs.bound()});
  jobs.flush(soon);
  CHECK(crew.different() == 10);
}

TEST_CASE("what waits for others, or for work, ends at its timeout") {
  Context context;
  Pusher jobs{context, {.bind = {any_port}}};
  CHECK_THROWS_WITH_AS(jobs.wait_for_workers(1, 1ms),
                       "wait for workers of 'pusher': 0 of 1 after 1 ms (start them)", Error);
  Puller mine{context, {.connect = jobs.bound()}};
  for (Work& work : mine.work(1ms)) FAIL(work.payload());
  CHECK_FALSE(mine.stopped());
  CHECK_FALSE(mine.receive());
  CHECK(jobs.push(std::string(limits::message_bytes + 1, 'x')) == SendResult::too_large);
  CHECK(jobs.ledger().refused == 1);
  CHECK(jobs.stop(0ms).clean);
  CHECK_THROWS_WITH_AS(jobs.wait_for_workers(2, 1h), doctest::Contains("it was stopped"), Error);
}

TEST_CASE("a pusher has bounds in messages and bytes, and says when it is full") {
  Context context;
  Pusher few{context, {.bind = {any_port}, .queue_messages = 3}};
  push_all(few, 3);
  CHECK(few.push("one more") == SendResult::no_peer);
  CHECK(few.ledger().refused == 1);
  CHECK_THROWS_WITH_AS(few.flush(0ms), doctest::Contains("3 of 3 messages are not done, 0 workers"),
                       Error);
  Pusher small{context, {.bind = {any_port}, .queue_bytes = 10}};
  CHECK(small.push("123456789") == SendResult::sent);
  CHECK(small.push("12") == SendResult::no_peer);
  CHECK(small.push("1") == SendResult::sent);
  Puller puller{context, {.connect = few.bound(), .credit = 3}};
  auto work = puller.receive(soon);
  REQUIRE(work);
  CHECK(few.push("one more") == SendResult::full);
  std::thread other([&] { work->done(); });
  CHECK(few.push("one more", {.timeout = soon}) == SendResult::sent);
  other.join();
  const std::string large(limits::message_bytes + 1, 'x');
  CHECK(few.push(large) == SendResult::too_large);
  const StopReport report = few.stop(0ms);
  CHECK(report.abandoned == 3);
  CHECK_THROWS_AS((void)few.push("late"), Error);
}

TEST_CASE("plain talks to stock PUSH and PULL, and both ends to each other") {
  Context context;
  zmq::context_t stock;
  Pusher jobs{context, {.bind = {any_port}, .wire = Wire::plain}};
  Stock puller{stock, zmq::socket_type::pull};
  puller.connect(jobs.bound().front().str());
  REQUIRE(jobs.push("bare") == SendResult::sent);
  CHECK(puller.receive() == std::vector<std::string>{"bare"});
  jobs.flush(soon);
  CHECK(jobs.ledger().reconciles());

  Puller mine{context, {.bind = {any_port}, .wire = Wire::plain}};
  Stock pusher{stock, zmq::socket_type::push};
  pusher.connect(mine.bound().front().str());
  pusher.send({"stock"});
  auto work = mine.receive(soon);
  REQUIRE(work);
  CHECK(work->payload() == "stock");
  CHECK(work->message().further().empty());
  pusher.send({"first", "", "last"});
  work = mine.receive(soon);
  REQUIRE(work);
  CHECK(work->payload() == "first");
  REQUIRE(work->message().further().size() == 2);
  CHECK(text(work->message().further()[0]).empty());
  CHECK(text(work->message().further()[1]) == "last");
  Pusher ours{context, {.connect = mine.bound(), .wire = Wire::plain}};
  push_all(ours, 100);
  for (int i = 0; i < 100; ++i) {
    auto next = mine.receive(soon);
    REQUIRE(next);
    CHECK(next->payload() == std::to_string(i));
  }
  CHECK(mine.ledger().reconciles());
}

TEST_CASE("what wire = plain cannot say is not taken, nor a batch that is no message") {
  Context context;
  Pusher jobs{context, {.bind = {any_port}, .wire = Wire::plain}};
  CHECK_THROWS_WITH_AS((void)jobs.push("x", {.headers = {{"a", "b"}}}),
                       doctest::Contains("wire = plain has no headers"), Error);
  CHECK(jobs.ledger().pushed == 0);
  CHECK_THROWS_WITH_AS((Pusher{context, {.bind = {any_port}, .batch_bytes = (64u << 20) + 1}}),
                       doctest::Contains("is no message"), Error);
}

TEST_CASE("a message of too many frames is counted by whoever it came to, and the next one comes") {
  Context context;
  zmq::context_t stock;
  const std::vector<std::string> many(limits::frames + 1, "x");
  Puller plain{context, {.bind = {any_port}, .wire = Wire::plain}};
  Stock pusher{stock, zmq::socket_type::push};
  pusher.connect(plain.bound().front().str());
  REQUIRE(pusher.send(many));
  REQUIRE(pusher.send({"good"}));
  CHECK(plain.receive(soon)->payload() == "good");
  CHECK(eventually([&] { return plain.ledger().malformed == 1; }));

  Puller mine{context, {.bind = {any_port}}};
  Stock stranger{stock, zmq::socket_type::dealer};
  stranger.connect(mine.bound().front().str());
  REQUIRE(stranger.send(many));
  CHECK(eventually([&] { return mine.ledger().malformed == 1; }));
  Pusher jobs{context, {.connect = mine.bound()}};
  REQUIRE(jobs.push("work") == SendResult::sent);
  CHECK(mine.receive(soon)->payload() == "work");
}

TEST_CASE("a puller's stop from another thread ends its iteration, and returns what it has") {
  Context context;
  Pusher jobs{context, {.bind = {any_port}}};
  Puller mine{context, {.connect = jobs.bound()}};
  push_all(jobs, 5);
  std::atomic<int> begun = 0;
  std::thread worker([&] {
    for (Work& work : mine.work()) {
      ++begun;
      mine.stop();
      work.done();
    }
  });
  worker.join();
  CHECK(begun == 1);
  REQUIRE(eventually([&] { return jobs.ledger().done == 1 && jobs.ledger().waiting == 4; }));
  CHECK(mine.ledger().reconciles());
}

TEST_CASE("another event loop serves a puller through its descriptor") {
  for (const Wire wire : {Wire::busbar, Wire::plain}) {
    CAPTURE(static_cast<int>(wire));
    Context context;
    Pusher jobs{context, {.bind = {any_port}, .wire = wire}};
    Puller mine{context, {.connect = jobs.bound(), .credit = 50, .wire = wire}};
    EventLoop loop{context};
    std::optional<Work> kept;
    int done = 0;
    loop.add(mine.fd(), [&] {
      CHECK(mine.drain(
                [&](Work& work) {
                  CHECK(work.payload() == std::to_string(done));
                  work.done();
                  if (++done == 1000) kept = std::move(work);
                },
                7) <= 7);
      if (kept) loop.stop();
    });
    push_all(jobs, 1000);
    loop.after(soon, [&] { loop.stop(); });
    loop.run();
    CHECK(done == 1000);
    CHECK(mine.drain([](Work&) {}) == 0);
    jobs.flush(soon);
    CHECK(mine.ledger().reconciles());
  }
}

TEST_CASE("what a drain's handler does not settle goes to another worker, what it keeps does not") {
  Context context;
  Pusher jobs{context, {.bind = {any_port}}};
  Puller mine{context, {.connect = jobs.bound()}};
  push_all(jobs, 2);
  std::vector<Work> kept;
  const auto poll_for_work = [&] {
    pollfd one{mine.fd(), POLLIN, 0};
    return poll(&one, 1, static_cast<int>(soon.count())) == 1;
  };
  REQUIRE(poll_for_work());
  CHECK(mine.drain([&](Work& work) { kept.push_back(std::move(work)); }, 1) == 1);
  REQUIRE(poll_for_work());
  CHECK(mine.drain([](Work&) {}, 1) == 1);  // has failed
  REQUIRE(poll_for_work());
  CHECK(mine.drain([&](Work& work) {
    CHECK(work.redelivered());
    work.done();
  }) == 1);
  CHECK(eventually([&] { return jobs.ledger().out == 1; }));
  kept.front().done();
  jobs.flush(soon);
  CHECK(jobs.ledger().redelivered == 1);
}

TEST_CASE("a puller's descriptor is readable from its end on") {
  Context context;
  Puller mine{context, {.bind = {any_port}}};
  pollfd one{mine.fd(), POLLIN, 0};
  CHECK(poll(&one, 1, 0) == 0);
  mine.stop();
  CHECK(poll(&one, 1, 0) == 1);
  CHECK(mine.drain([](Work&) {}) == 0);
  CHECK(poll(&one, 1, 0) == 1);
}

TEST_CASE("a pusher or a puller without an endpoint is refused") {
  Context context;
  CHECK_THROWS_WITH_AS((Pusher{context, {}}), doctest::Contains("it has no endpoint"), Error);
  CHECK_THROWS_WITH_AS((Puller{context, {.wire = Wire::plain}}),
                       doctest::Contains("it has no endpoint"), Error);
}

TEST_CASE("a context that is stopped ends both, without an error") {
  Context context;
  Pusher jobs{context, {.bind = {any_port}}};
  Puller mine{context, {.connect = jobs.bound()}};
  jobs.wait_for_workers(1, soon);
  const StopReport stopped = context.stop(soon);
  CHECK(stopped.clean);
  CHECK_FALSE(mine.receive(soon));
  CHECK_THROWS_AS((void)jobs.push("late"), Error);
}

TEST_CASE("noise on a pusher's or a puller's port harms nobody") {
  Context context;
  zmq::context_t stock;
  Pusher jobs{context, {.bind = {any_port}}};
  Stock noise{stock, zmq::socket_type::dealer};
  noise.connect(jobs.bound().front().str());
  for (const char* text :
       {"", "hello", "\xBD", "\xBD\x93\x01\x05\x09", "\xBD\xdd\xff\xff\xff\xff"}) {
    noise.send({text});
    noise.send({text, text, text});
  }
  Crew crew;
  crew.add(context, {.connect = jobs.bound()});
  push_all(jobs, 100);
  jobs.flush(soon);
  CHECK(crew.different() == 100);
  REQUIRE(eventually([&] { return jobs.ledger().malformed >= 6; }));
}

TEST_CASE("what a puller acknowledged before it left is done") {
  Context context;
  for (int round = 0; round < 100; ++round) {
    CAPTURE(round);
    std::optional<Puller> worker{std::in_place, context, PullerOptions{.bind = {any_port}}};
    Pusher jobs{context, {.connect = worker->bound()}};
    push_all(jobs, 2);
    for (int i = 0; i < 2; ++i) {
      auto work = worker->receive(soon);
      REQUIRE(work);
      work->done();
    }
    worker.reset();
    jobs.flush(soon);
    CHECK(jobs.ledger().redelivered == 0);
  }
}

TEST_CASE("the longest timeout of all waits") {
  Context context;
  Pusher jobs{context, {.bind = {"tcp://127.0.0.1:*"}}};
  Puller worker{context, {.connect = jobs.bound()}};
  jobs.wait_for_workers(1, std::chrono::milliseconds::max());
  std::thread pusher{[&] { CHECK(jobs.push("late") == SendResult::sent); }};
  auto work = worker.receive(std::chrono::milliseconds::max());
  pusher.join();
  REQUIRE(work);
  work->done();
}

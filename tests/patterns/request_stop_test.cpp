// How requesters and repliers end, by themselves or with their context.
#include "support/desk.hpp"

#include <algorithm>
#include <future>
#include <optional>
#include <poll.h>
#include <thread>

#include <doctest/doctest.h>

#include <busbar/patterns/requester.hpp>

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::any_port;
using busbar::testing::eventually;
using busbar::testing::soon;

TEST_CASE("a replier whose context is stopped ends, whatever its threads are about") {
  for (const unsigned threads : {1U, 3U}) {
    CAPTURE(threads);
    Context context;
    Context other;
    Replier replier{context, {.bind = {any_port}, .threads = threads}};
    std::promise<void> begun;
    std::promise<void> go_on;
    replier.on("wait", [&] {
      begun.set_value();
      go_on.get_future().wait();
    });
    std::thread thread{[&] { replier.serve(); }};
    Requester ask{other, {.connect = replier.bound()}};
    const PendingReply out = ask.request("wait", "", {.deadline = 1min});
    begun.get_future().wait();
    std::thread stopping{[&] { (void)context.stop(10ms); }};
    if (threads == 1) stopping.join();
    go_on.set_value();
    thread.join();
    if (threads > 1) stopping.join();
    CHECK(replier.ledger().running == 0);
  }
}

TEST_CASE("a replier that waits for its last answers to leave answers all others meanwhile") {
  Context context;
  Replier replier{context, {.bind = {any_port}}};
  const std::string large(1 << 20, 'x');
  replier.on("large", [&] { return large; });
  std::thread serving{[&] { replier.serve(); }};
  Socket deaf{context, SocketType::dealer, {.connect = replier.bound(), .receive_queue = 1}};
  for (int i = 0; i < 100; ++i) {
    Multipart request{"", "large", ""};
    REQUIRE(deaf.send(request, soon) == SendResult::sent);
  }
  REQUIRE(eventually([&] { return replier.ledger().replied == 100; }));
  std::future<StopReport> stopped = std::async([&] { return replier.stop(2s); });
  Duration longest{0};
  while (stopped.wait_for(1ms) != std::future_status::ready) {
    const auto before = std::chrono::steady_clock::now();
    (void)replier.ledger();
    longest = std::max(longest, Duration{std::chrono::steady_clock::now() - before});
  }
  CHECK(stopped.get().took >= 2s);
  CHECK(longest < 1s);
  serving.join();
}

TEST_CASE("with its context a replier ends, and a request that it holds can be asked and let go") {
  Context context;
  Context other;
  Request kept = [&] {
    Replier replier{context, {.bind = {any_port}}};
    std::optional<Request> held;
    replier.on("keep", [&](Request request) { held = std::move(request); });
    const int descriptor = replier.fd();
    Requester ask{other, {.connect = replier.bound()}};
    const PendingReply out = ask.request("keep", "what is kept", {.deadline = 1min});
    while (!held) {
      pollfd item{descriptor, POLLIN, 0};
      REQUIRE(::poll(&item, 1, 20'000) == 1);
      (void)replier.drain();
    }
    (void)context.stop(10ms);
    std::thread{[&] { CHECK_FALSE(held->cancelled()); }}.join();
    return std::move(*held);
  }();
  CHECK(kept.cancelled());
  CHECK(kept.payload() == "what is kept");
  kept.reply("too late");
  CHECK(kept.payload() == "");
  CHECK(kept.method() == "");
  CHECK(kept.further().empty());
}

TEST_CASE("with its context a requester ends: all is cancelled, and no more is taken") {
  Context context;
  Context other;
  Socket server{other, SocketType::router, {.bind = {any_port}}};
  Requester ask{context, {.connect = server.bound()}};
  ask.wait_for_servers(1, soon);
  PendingReply one = ask.request("m", "", {.deadline = 1min});
  PendingReply two = ask.request("m", "", {.deadline = 1min});
  const PendingReply three = ask.request("m", "", {.deadline = 1min});
  (void)context.stop(10ms);
  CHECK_NOTHROW(one.cancel());
  CHECK(one.get().outcome() == Outcome::cancelled);
  CHECK(two.wait(soon));
  CHECK(two.get().outcome() == Outcome::cancelled);
  try {
    (void)ask.request("m", "");
    FAIL("it was taken");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
  }
  CHECK(ask.ledger().cancelled == 3);
  CHECK(ask.ledger().reconciles());
}

// What users' code may do: in handlers and callbacks, and to the objects that call it.
#include "support/desk.hpp"
#include "support/stock.hpp"

#include <future>
#include <latch>
#include <optional>
#include <poll.h>

#include <doctest/doctest.h>

#include <busbar/core/event_loop.hpp>
#include <busbar/patterns/requester.hpp>

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::Account;
using busbar::testing::any_port;
using busbar::testing::at;
using busbar::testing::Desk;
using busbar::testing::eventually;
using busbar::testing::Serving;
using busbar::testing::soon;
using busbar::testing::Stock;

namespace {

constexpr RequestOptions patient{.deadline = soon};

int twice(int number) { return 2 * number; }

}  // namespace

TEST_CASE("a deadline of 0 or less has expired, and where none is given the requester's holds") {
  Context context;
  Desk desk{context, {.bind = {any_port}}};
  Requester ask{context, {.connect = at(desk), .deadline = 40s}};
  CHECK(ask.request("left", 0).get<std::int64_t>() > 20'000);
  CHECK(ask.request("nothing", "", {.deadline = 0ms}).get().outcome() == Outcome::expired);
  CHECK(ask.request("nothing", "", {.deadline = -5ms}).get().outcome() == Outcome::expired);
  const auto none = ask.survey("nothing", "", 0ms);
  REQUIRE(none.size() == 1);
  CHECK(none[0].reply.outcome() == Outcome::expired);
  const auto all = ask.survey("left", 0);
  REQUIRE(all.size() == 1);
  CHECK(all[0].reply.as<std::int64_t>() > 20'000);
  CHECK(desk.nothings == 0);
  CHECK(ask.ledger().expired == 3);
  CHECK(ask.ledger().reconciles());
}

TEST_CASE("options of a requester or replier that make no sense are refused") {
  Context context;
  const std::vector<Endpoint> there{"inproc://there"};
  const auto refused = [&](const RequesterOptions& options) {
    try {
      const Requester made{context, options};
      return false;
    } catch (const Error& error) {
      return error.kind() == ErrorKind::usage;
    }
  };
  CHECK(refused({.connect = there, .deadline = 0ms}));
  CHECK(refused({.connect = there, .attempt_timeout = 0ms}));
  CHECK(refused({.connect = there, .hedge = -0.1}));
  CHECK(refused({.connect = there, .hedge = 1.1}));
  CHECK(refused({.connect = there, .hedge = std::numeric_limits<double>::quiet_NaN()}));
  CHECK(refused({.connect = there, .in_flight_max = 0}));
  CHECK_FALSE(refused({.connect = there}));
  CHECK_THROWS_AS(Replier(context, {.bind = {any_port}, .waiting_max = 0}), Error);
  CHECK_THROWS_WITH_AS(Replier(context, ReplierOptions{}),
                       "replier 'replier': it has no endpoint (give one to bind or to connect to)",
                       Error);
}

TEST_CASE(
    "what is thrown and is no std::exception is a failure there, and a line in the log here") {
  std::atomic<int> logged = 0;
  Context context{{.log = [&](LogLevel level, std::string_view text) {
    if (level == LogLevel::error && text.find("a callback threw") != text.npos) ++logged;
  }}};
  Replier replier{context, {.bind = {any_port}}};
  replier.on("five", []() -> int { throw 5; });
  const Serving serving{replier};
  Requester ask{context, {.connect = replier.bound()}};
  const Reply failed = ask.request("five", "", patient).get();
  CHECK(failed.outcome() == Outcome::failed);
  CHECK(failed.reason() == "the handler threw what is no std::exception");
  std::promise<void> called;
  ask.request("five", "", patient, [](Reply&&) { throw 5; });
  ask.request("five", "", patient, [&](Reply&&) { called.set_value(); });
  called.get_future().wait();
  CHECK(logged == 1);
}

TEST_CASE("a reply that is too large fails, and its requester is told why") {
  Context context;
  Replier replier{context, {.bind = {any_port}}};
  replier.on("large", [] { return std::string(limits::message_bytes, 'x'); });
  const Serving serving{replier};
  Requester ask{context, {.connect = replier.bound()}};
  const Reply failed = ask.request("large", "", patient).get();
  CHECK(failed.outcome() == Outcome::failed);
  CHECK(failed.reason() == "the reply is larger than 64 MiB");
  CHECK(replier.ledger().failed == 1);
  CHECK(replier.ledger().reconciles());
}

TEST_CASE("the end of a requester waits for the callback that is being called") {
  Context context;
  Desk desk{context, {.bind = {any_port}}};
  std::promise<void> begun;
  std::promise<void> go_on;
  std::atomic<bool> over = false;
  std::thread releasing;
  {
    Requester ask{context, {.connect = at(desk)}};
    ask.request("nothing", "", [&](Reply&&) {
      begun.set_value();
      go_on.get_future().wait();
      over = true;
    });
    begun.get_future().wait();
    const StopReport report = ask.stop(1ms);
    CHECK_FALSE(report.clean);
    CHECK(report.remains.size() == 1);
    releasing = std::thread{[&] { go_on.set_value(); }};
  }
  CHECK(over);
  releasing.join();
}

TEST_CASE("a callback may stop its requester, which waits for the others, and end it") {
  Context context;
  Desk desk{context, {.bind = {any_port}}};
  std::optional<Requester> ask(std::in_place, context, RequesterOptions{.connect = at(desk)});
  std::atomic<int> called = 0;
  std::promise<StopReport> stopped;
  ask->request("nothing", "", [&](Reply&&) {
    ask->request("echo", "x", [&](Reply&& reply) { called += reply.ok() ? 1 : 0; });
    StopReport report = ask->stop(soon);
    ask.reset();
    stopped.set_value(std::move(report));
  });
  const StopReport report = stopped.get_future().get();
  CHECK(report.clean);
  CHECK(report.took < soon);
  CHECK(called == 1);
}

TEST_CASE("what a callback holds of its own requester goes with it") {
  Context context;
  Desk desk{context, {.bind = {any_port}}};
  Requester ask{context, {.connect = at(desk)}};
  auto kept = std::make_shared<PendingReply>(ask.request("keep", "", patient));
  std::promise<void> called;
  ask.request("nothing", "", [&called, kept](Reply&&) { called.set_value(); });
  kept.reset();
  called.get_future().wait();
  REQUIRE(eventually([&] { return ask.ledger().cancelled == 1; }));
}

TEST_CASE("another event loop calls a requester's callbacks, through its descriptor") {
  Context context;
  Desk desk{context, {.bind = {any_port}}};
  Requester ask{context, {.connect = at(desk)}};
  EventLoop loop{context};
  int called = 0;
  bool here = true;
  const auto thread = std::this_thread::get_id();
  loop.add(ask.fd(), [&] { CHECK(ask.drain(7) <= 7); });
  const auto next = [&](Reply&& reply) {
    here = here && std::this_thread::get_id() == thread && reply.ok();
    if (++called == 100) {
      CHECK(ask.stop(soon).clean);
      loop.stop();
    }
  };
  for (int i = 0; i < 99; ++i) ask.request("nothing", "", next);
  CHECK(ask.request("echo", "x", patient).get<std::string>() == "x");  // waits beside them
  ask.request("nothing", "", next);
  loop.after(soon, [&] { loop.stop(); });
  loop.run();
  CHECK(called == 100);
  CHECK(here);
  CHECK(ask.drain() == 0);
}

TEST_CASE("a callback that is due at the end, and that nobody drains, is let go of") {
  Context context;
  Desk desk{context, {.bind = {any_port}}};
  auto held = std::make_shared<int>(0);
  {
    Requester ask{context, {.connect = at(desk)}};
    (void)ask.fd();
    ask.request("keep", "", [held](Reply&&) { ++*held; });
    CHECK(ask.stop(0ms).abandoned == 1);
    CHECK(ask.drain() == 1);
    CHECK(*held == 1);
    Requester other{context, {.connect = at(desk)}};
    (void)other.fd();
    auto kept = std::make_shared<PendingReply>(other.request("keep", "", patient));
    other.request("keep", "", [held, kept](Reply&&) { ++*held; });
  }
  CHECK(*held == 1);
  CHECK(held.use_count() == 1);
}

TEST_CASE("a requester is assigned another one") {
  Context context;
  Desk one{context, {.bind = {any_port}}};
  Desk two{context, {.bind = {any_port}}};
  Requester ask{context, {.connect = at(one)}};
  PendingReply out = ask.request("keep", "", patient);
  ask = Requester{context, {.connect = at(two)}};
  CHECK(out.get().outcome() == Outcome::cancelled);
  CHECK(ask.request("nothing", "", patient).get().ok());
  CHECK(two.nothings == 1);
}

TEST_CASE("a handler may stop its replier, without waiting for itself, and its answer goes out") {
  for (const bool raw : {false, true}) {
    CAPTURE(raw);
    Context context;
    Replier replier{context, {.bind = {any_port}, .threads = 2}};
    std::latch both{2};
    std::mutex mutex;
    std::vector<StopReport> reports;
    const auto stop = [&] {
      both.arrive_and_wait();
      StopReport report = replier.stop(soon);
      const std::scoped_lock lock{mutex};
      reports.push_back(std::move(report));
    };
    if (raw) {
      replier.on("end", [&](Request request) {
        stop();
        request.reply("bye");
      });
    } else {
      replier.on("end", [&] {
        stop();
        return std::string("bye");
      });
    }
    std::thread thread{[&] { replier.serve(); }};
    Requester ask{context, {.connect = replier.bound()}};
    PendingReply one = ask.request("end", "", {.deadline = 1min});
    PendingReply two = ask.request("end", "", {.deadline = 1min});
    CHECK(one.get<std::string>() == "bye");
    CHECK(two.get<std::string>() == "bye");
    thread.join();
    for (const StopReport& report : reports) {
      CHECK(report.clean);
      CHECK(report.took < soon);
    }
    CHECK(reports.size() == 2);
    CHECK(replier.ledger().replied == 2);
    CHECK(replier.ledger().undeliverable == 0);
  }
}

TEST_CASE("a replier is served by another event loop through its descriptor") {
  Context context;
  Replier replier{context, {.bind = {any_port}}};
  std::vector<Request> kept;
  replier.on("echo", [](std::string_view text) { return std::string{text}; });
  replier.on("fail", []() -> int { throw 5; });
  replier.on("keep", [&](Request request) { kept.push_back(std::move(request)); });
  EventLoop loop{context};
  loop.add(replier.fd(), [&] { CHECK(replier.drain(3) <= 3); });
  loop.after(soon, [&] { loop.stop(); });
  std::thread asking{[&] {
    Requester ask{context, {.connect = replier.bound()}};
    std::vector<PendingReply> echoes;
    for (int i = 0; i < 100; ++i) echoes.push_back(ask.request("echo", "x", patient));
    for (PendingReply& echo : echoes) CHECK(echo.get<std::string>() == "x");
    CHECK(ask.request("fail", "", patient).get().outcome() == Outcome::failed);
    PendingReply one = ask.request("keep", "", patient);
    PendingReply more = ask.request("keep", "", patient);
    CHECK(ask.request("echo", "y", patient).get<std::string>() == "y");
    loop.post([&] {
      REQUIRE(kept.size() == 2);
      // Elsewhere than in `drain`: both may take the news of what comes meanwhile.
      CHECK_FALSE(kept[1].cancelled());
      kept[0].reply("first");
      kept[1].reply("second");
    });
    CHECK(one.get<std::string>() == "first");
    CHECK(more.get<std::string>() == "second");
    CHECK(ask.request("echo", "z", patient).get<std::string>() == "z");
    loop.stop();
  }};
  loop.run();
  asking.join();
  CHECK(replier.ledger().replied == 104);
  CHECK(replier.ledger().reconciles());
}

TEST_CASE("a replier that another event loop serves is stopped, by a handler too") {
  for (const bool inside : {false, true}) {
    CAPTURE(inside);
    Context context;
    Replier replier{context, {.bind = {any_port}}};
    std::optional<StopReport> report;
    replier.on("end", [&] { report = replier.stop(soon); });
    replier.on("again", [&] {
      CHECK_THROWS_WITH_AS(replier.drain(), doctest::Contains("it is served already"), Error);
    });
    pollfd readable{replier.fd(), POLLIN, 0};
    Requester ask{context, {.connect = replier.bound()}};
    PendingReply pending = ask.request("again", "", patient);
    const auto serve_until = [&](auto over) {
      // What ends it may happen at the other end, of which nothing shows here.
      while (!over())
        if (poll(&readable, 1, 10) == 1) replier.drain();
    };
    serve_until([&] { return pending.ready(); });
    CHECK(pending.get().ok());
    if (inside) {
      pending = ask.request("end", "", patient);
      serve_until([&] { return report.has_value(); });
      CHECK(pending.get().ok());
    } else {
      report = replier.stop(soon);
    }
    CHECK(report->clean);
    CHECK(poll(&readable, 1, 10'000) == 1);
    CHECK(replier.drain() == 0);
    CHECK(poll(&readable, 1, 10'000) == 1);
    const Socket next{context, SocketType::router, {.bind = replier.bound()}};  // it is free
  }
}

TEST_CASE("handlers of every form are taken") {
  Context context;
  Replier replier{context, {.bind = {any_port}}};
  replier.on("function", twice);
  replier.on("noexcept", [](int number) noexcept { return number; });
  replier.on("move only", [held = std::make_unique<int>(7)]() mutable { return *held; });
  replier.on("by value", [](std::string text) { return text + "!"; });
  replier.on("moved in", [](std::string&& text) { return std::string{std::move(text)} + "?"; });
  replier.on("request", [](const Request& request) { return std::string{request.payload()}; });
  replier.on("answers", [](Request& request) { request.reply("itself"); });
  replier.on("lets go", [](Request&) {});
  replier.on("with both", [](const Account& account, Request& request) {
    request.refuse("not account " + std::to_string(account.number));
  });
  const Serving serving{replier};
  Requester ask{context, {.connect = replier.bound()}};
  CHECK(ask.request("function", 4, patient).get<int>() == 8);
  CHECK(ask.request("noexcept", 4, patient).get<int>() == 4);
  CHECK(ask.request("move only", "", patient).get<int>() == 7);
  CHECK(ask.request("by value", "x", patient).get<std::string>() == "x!");
  CHECK(ask.request("moved in", "x", patient).get<std::string>() == "x?");
  CHECK(ask.request("request", "x", patient).get<std::string>() == "x");
  CHECK(ask.request("answers", "", patient).get<std::string>() == "itself");
  CHECK(ask.request("lets go", "", patient).get().outcome() == Outcome::failed);
  CHECK(ask.request("with both", Account{7}, patient).get().reason() == "not account 7");
  const Reply reply = ask.request("request", "bytes", patient).get();
  CHECK(reply.as<std::string_view>() == "bytes");
  std::promise<int> called;
  ask.request("function", 21, [&](Reply&& one) { called.set_value(one.as<int>()); });
  CHECK(called.get_future().get() == 42);
}

TEST_CASE("callbacks may hold what can be moved only") {
  Context context;
  Desk desk{context, {.bind = {any_port}}};
  Requester ask{context, {.connect = at(desk)}};
  std::latch called{4};
  const auto callback = [&] {
    return [held = std::make_unique<std::latch*>(&called)](Reply&&) mutable {
      (*std::exchange(held, nullptr))->count_down();
    };
  };
  ask.request("nothing", "", callback());
  ask.request("nothing", Account{7}, callback());
  ask.request("nothing", "", patient, callback());
  ask.request("nothing", Account{7}, patient, callback());
  called.wait();
}

TEST_CASE("a handler for all other methods sees the one that a stock requester names") {
  zmq::context_t stock;
  Context context;
  Replier replier{context, {.bind = {any_port}}};
  replier.otherwise([](const Request& request) {
    return std::string{request.method()} + "/" + std::string{request.payload()};
  });
  const Serving serving{replier};
  Stock req(stock, zmq::socket_type::req);
  req.connect(replier.bound()[0].str());
  req.send({"two", "frames"});
  CHECK(req.receive() == std::vector<std::string>{"two/frames"});
  req.send({"one"});
  CHECK(req.receive() == std::vector<std::string>{"/one"});
}

TEST_CASE("what is answered and not yet taken does not count as unanswered") {
  Context context;
  Desk desk{context, {.bind = {any_port}}};
  Requester ask{context, {.connect = at(desk), .in_flight_max = 1}};
  PendingReply one = ask.request("echo", "1", patient);
  REQUIRE(one.wait(soon));
  CHECK(ask.request("echo", "2", patient).get<std::string>() == "2");
  CHECK(one.get<std::string>() == "1");
}

#include "support/stock.hpp"

#include <stdexcept>
#include <thread>
#include <unistd.h>

#include <doctest/doctest.h>

#include <busbar/core/event_loop.hpp>

using namespace busbar;
using namespace busbar::testing;
using namespace std::chrono_literals;

TEST_CASE("a loop calls back for messages, and a handler may remove its own socket") {
  Context context;
  Socket pull(context, SocketType::pull, {.bind = {"inproc://loop"}});
  Socket push(context, SocketType::push, {.connect = {"inproc://loop"}});
  EventLoop loop(context);
  std::vector<std::string> got;
  loop.add(pull, [&] {
    Multipart message;
    while (pull.receive(message)) got.emplace_back(message.text(0));
    loop.remove(pull);
    loop.stop();
  });
  CHECK(push.send(Multipart{"a"}) == SendResult::sent);
  CHECK(push.send(Multipart{"b"}) == SendResult::sent);
  loop.run();
  CHECK(got == std::vector<std::string>{"a", "b"});
}

TEST_CASE("timers fire in time by the context's clock, once or again and again, until cancelled") {
  ManualClock clock;
  Context context({.clock = &clock});
  EventLoop loop(context);
  int once = 0;
  int often = 0;
  loop.after(100ms, [&] { ++once; });
  const EventLoop::Timer period = loop.every(40ms, [&] { ++often; });
  const auto pass = [&](std::chrono::milliseconds by) {
    clock.advance(by);
    loop.run_once(0ms);
  };
  pass(39ms);
  CHECK(often == 0);
  for (int i = 0; i < 10; ++i) pass(40ms);
  CHECK(once == 1);
  CHECK(often == 10);
  loop.cancel(period);
  pass(1s);
  CHECK(often == 10);
}

TEST_CASE("a call posted by another thread runs in the loop's thread") {
  Context context;
  EventLoop loop(context);
  std::thread::id ran_in;
  std::thread other([&] {
    loop.post([&] { ran_in = std::this_thread::get_id(); });
    loop.post([&] { loop.stop(); });
  });
  loop.run();
  other.join();
  CHECK(ran_in == std::this_thread::get_id());
}

TEST_CASE("a descriptor is served until its end, which is seen too") {
  Context context;
  EventLoop loop(context);
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  std::string got;
  loop.add(ends[0], [&] {
    char byte = 0;
    if (read(ends[0], &byte, 1) == 1) {
      got += byte;
    } else {
      loop.remove(ends[0]);
      loop.stop();
    }
  });
  REQUIRE(write(ends[1], "hi", 2) == 2);
  close(ends[1]);
  loop.run();
  close(ends[0]);
  CHECK(got == "hi");
}

TEST_CASE("a writable handler is called as soon as there is somebody to send to") {
  Context context;
  Socket push(context, SocketType::push, {.bind = {"tcp://127.0.0.1:*"}});
  EventLoop loop(context);
  loop.add(push, {});
  bool writable = false;
  loop.on_writable(push, [&] {
    writable = true;
    loop.on_writable(push, {});
  });
  loop.run_once(0ms);
  CHECK_FALSE(writable);
  Socket pull(context, SocketType::pull, {.connect = push.bound()});
  CHECK(eventually([&] {
    loop.run_once(100ms);
    return writable;
  }));
}

TEST_CASE("calls behind one that throws are made when the loop is run again") {
  Context context;
  EventLoop loop(context);
  bool called = false;
  loop.post([] { throw std::runtime_error("broken"); });
  loop.post([&] { called = true; });
  CHECK_THROWS_WITH(loop.run_once(0ms), "broken");
  loop.run_once(100ms);
  CHECK(called);
}

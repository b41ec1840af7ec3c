// A subscriber that is served by another event loop, or stopped by another thread.
#include <poll.h>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/core/event_loop.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/patterns/publisher.hpp>
#include <busbar/patterns/subscriber.hpp>
#include <busbar/protocol/header.hpp>

using namespace busbar;
using namespace std::chrono_literals;

TEST_CASE("each form of subscription gets what it names, in each form of receiving") {
  Context context;
  Publisher numbers{context, {.bind = {"tcp://127.0.0.1:*"}}};
  using Topics = std::vector<std::string>;
  const Topics published{"a", "a.b", "a.bc", "a.b.c", "a.c", "b.a", "a.b"};
  const auto check = [&](const TopicPattern& pattern, const Topics& expected, auto receive) {
    Subscriber some{context, {.connect = numbers.bound()}};
    some.subscribe(pattern);
    some.wait_ready(10s);
    for (std::size_t i = 0; i < published.size(); ++i) {
      CHECK(numbers.publish(published[i], i) == SendResult::sent);
    }
    Topics received;
    receive(some, [&](const Message& message) {
      received.emplace_back(message.topic());
      if (message.as<std::size_t>() + 1 == published.size()) some.stop();
    });
    CHECK(received == expected);
    CHECK(some.ledger().lost == 0);
  };
  check("a.b", {"a.b", "a.b"}, [](Subscriber& some, const auto& note) { some.run(note); });
  check("a.*", {"a.b", "a.bc", "a.c", "a.b"}, [](Subscriber& some, const auto& note) {
    for (const Message& message : some.messages(10s)) note(message);
  });
  check("a.>", {"a.b", "a.bc", "a.b.c", "a.c", "a.b"}, [](Subscriber& some, const auto& note) {
    while (const auto message = some.receive(10s)) note(*message);
  });
  const auto raw = TopicPattern::raw_prefix("a.b");
  check(raw, {"a.b", "a.bc", "a.b.c", "a.b"}, [](Subscriber& some, const auto& note) {
    const TimePoint end = std::chrono::steady_clock::now() + 10s;
    for (bool last = false; !last && std::chrono::steady_clock::now() < end;) {
      const auto message = some.receive();  // never waits
      if (message) note(*message);
      last = message && message->as<std::size_t>() == 6;
    }
  });
}

TEST_CASE("a subscriber is served by another event loop through its descriptor") {
  Context context;
  Publisher numbers{context, {.bind = {"tcp://127.0.0.1:*"}, .batching = Batching{}}};
  Subscriber all{context, {.connect = numbers.bound()}};
  all.subscribe("n");
  all.wait_ready(10s);
  EventLoop loop{context};
  std::uint64_t received = 0;
  loop.add(all.fd(), [&] {
    all.drain([&](const Message& message) { CHECK(message.sequence() == ++received); }, 7);
    if (received == 1000) loop.stop();
  });
  for (int i = 0; i < 1000; ++i) numbers.publish("n", i);
  loop.after(20s, [&] { loop.stop(); });
  loop.run();
  CHECK(received == 1000);
}

TEST_CASE("what only time brings comes through the descriptor as well") {
  Context context;
  Socket stranger{context, SocketType::xpub, {.bind = {"tcp://127.0.0.1:*"}}};
  Subscriber all{context, {.connect = stranger.bound()}};
  all.subscribe("n");
  while (stranger.receive(10s)->text(0) != "\1n") {
  }
  const auto header = [](std::uint64_t sequence) {
    return encode(protocol::Header{.publisher = 9, .stream = 1, .sequence = sequence});
  };
  // It waits for a welcome that does not come.
  CHECK(stranger.send(Multipart{"n" + header(5) + "five"}) == SendResult::sent);
  EventLoop loop{context};
  std::string received;
  loop.add(all.fd(), [&] {
    all.drain([&](const Message& message) {
      received = message.payload();
      loop.stop();
    });
  });
  loop.after(20s, [&] { loop.stop(); });
  loop.run();
  CHECK(received == "five");
}

TEST_CASE("what a drain leaves, as its handler throws, is told by the descriptor") {
  Context context;
  Publisher numbers{context, {.bind = {"tcp://127.0.0.1:*"}, .batching = Batching{}}};
  Subscriber all{context, {.connect = numbers.bound()}};
  all.subscribe("n");
  all.wait_ready(10s);
  constexpr int count = 100;
  for (int i = 0; i < count; ++i) numbers.publish("n", i);
  pollfd readable{all.fd(), POLLIN, 0};
  int received = 0;
  while (received < count) {
    REQUIRE(poll(&readable, 1, 10'000) == 1);
    try {
      all.drain([&](const Message&) {
        ++received;
        throw received;
      });
    } catch (int thrown) {
      CHECK(thrown == received);
    }
  }
  CHECK(all.ledger().delivered == count);
}

TEST_CASE("a waiting subscriber is stopped from another thread") {
  Context context;
  Publisher none{context, {.bind = {"inproc://none"}}};
  Subscriber waiting{context, {.connect = {"inproc://none"}}};
  waiting.subscribe(">");
  std::thread stopper{[&] { waiting.stop(); }};
  for (const Message& message : waiting.messages()) FAIL(message.topic());
  stopper.join();
  CHECK(waiting.stopped());
  CHECK_FALSE(waiting.receive(1h));
}

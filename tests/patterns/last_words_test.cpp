// What a pattern has sent when it ends arrives, though its peers read slowly and go on talking.
#include <atomic>
#include <thread>

#include <doctest/doctest.h>

#include <busbar/core/socket.hpp>
#include <busbar/patterns/publisher.hpp>
#include <busbar/patterns/pusher.hpp>
#include <busbar/patterns/replier.hpp>

using namespace busbar;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t messages = 20'000;
const std::string payload(200, 'x');

/// Reads all that there is, and says something for every tenth message.
template <class Talk>
std::uint64_t read_and_talk(Socket& slow, Talk talk) {
  std::uint64_t received = 0;
  while (received < messages && slow.receive(10s)) {
    if (++received % 10 == 0) (void)slow.send(talk());
  }
  return received;
}

}  // namespace

TEST_CASE("what a publisher sent last arrives, though its subscriber goes on asking") {
  Context context;
  for (const std::string endpoint : {"tcp://127.0.0.1:*", "ipc://*"}) {
    CAPTURE(endpoint);
    Socket slow{context, SocketType::xsub, {.bind = {endpoint}, .receive_queue = 1}};
    std::uint64_t dropped = 1;
    std::thread service{[&] {
      Publisher ends{context,
                     {.connect = slow.bound(),
                      .slow = SlowSubscriber::block,
                      .block_for = 30s,
                      .linger = 30s}};
      ends.wait_for_subscribers("n", 1, 10s);
      for (std::uint64_t i = 0; i < messages; ++i) (void)ends.publish("n", payload);
      dropped = ends.ledger().dropped;
    }};
    CHECK(slow.send(Multipart{"\1n"}) == SendResult::sent);
    CHECK(read_and_talk(slow, [] { return Multipart{"\1y"}; }) == messages);
    service.join();
    CHECK(dropped == 0);
  }
}

TEST_CASE("what a replier answered last arrives, though its requester goes on asking") {
  Context context;
  Replier ends{context, {.bind = {"tcp://127.0.0.1:*"}, .waiting_max = messages}};
  ends.otherwise([] { return payload; });
  Socket slow{
      context, SocketType::dealer, {.connect = ends.bound(), .send_queue = 0, .receive_queue = 1}};
  for (std::uint64_t i = 0; i < messages; ++i) {
    CHECK(slow.send(Multipart{"", "x"}) == SendResult::sent);
  }
  std::thread serving{[&] { ends.serve(); }};
  std::atomic<bool> ended = false;
  std::thread ending{[&] {
    while (ends.ledger().replied < messages) std::this_thread::yield();
    ends.stop(30s);
    ended = true;
  }};
  CHECK(read_and_talk(slow, [] { return Multipart{"", "x"}; }) == messages);
  while (!ended) (void)slow.receive(10ms);  // the answers to what it said meanwhile
  ending.join();
  serving.join();
  CHECK(ends.ledger().undeliverable == 0);
}

TEST_CASE("what a plain pusher sent last arrives over ipc, though its puller reads slowly") {
  Context context;
  Pusher ends{context, {.bind = {"ipc://*"}, .wire = Wire::plain}};
  Socket slow{context, SocketType::pull, {.connect = ends.bound(), .receive_queue = 1}};
  std::thread service{[&] {
    for (std::uint64_t i = 0; i < messages; ++i) {
      CHECK(ends.push(payload, {.timeout = 30s}) == SendResult::sent);
    }
    ends.stop(30s);
  }};
  std::uint64_t received = 0;
  while (received < messages && slow.receive(10s)) ++received;
  CHECK(received == messages);
  service.join();
}

// What a socket has sent when it is seen off arrives, though its peer reads slowly and speaks.
#include <optional>
#include <thread>

#include <doctest/doctest.h>

#include <busbar/core/socket.hpp>

using namespace busbar;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t messages = 20'000;

/// Reads all that there is, and says something for every tenth message.
std::uint64_t read_and_talk(Socket& slow) {
  std::uint64_t received = 0;
  while (received < messages && slow.receive(10s)) {
    if (++received % 10 == 0) (void)slow.send(Multipart{"more"});
  }
  return received;
}

std::uint64_t arrived(const Endpoint& endpoint, bool ends_binds, bool encrypted) {
  const CurveKeys bound = CurveKeys::create();
  const CurveKeys connected = CurveKeys::create();
  Security server;
  Security client;
  if (encrypted) {
    server = {.keys = bound,
              .allow = std::make_shared<AllowList>(std::vector{connected.public_key})};
    client = {.keys = connected, .server_key = bound.public_key};
  }
  const auto linger = [&](bool binds) { return binds == ends_binds ? 30'000ms : 0ms; };
  Context context;
  std::optional<Socket> slow;
  std::optional<Socket> ends;
  std::optional<Socket>& binds = ends_binds ? ends : slow;
  std::optional<Socket>& connects = ends_binds ? slow : ends;
  binds.emplace(
      context, SocketType::dealer,
      SocketOptions{
          .bind = {endpoint}, .security = server, .receive_queue = 1, .linger = linger(true)});
  connects.emplace(context, SocketType::dealer,
                   SocketOptions{.connect = binds->bound(),
                                 .security = client,
                                 .receive_queue = 1,
                                 .linger = linger(false)});
  ends->release();
  std::thread ending{[&] {
    for (std::uint64_t i = 0; i < messages; ++i) {
      if (ends->send(Multipart{std::string(200, 'x')}, 30s) != SendResult::sent) break;
    }
    ends->see_off(30s);
  }};
  const std::uint64_t received = read_and_talk(*slow);
  ending.join();
  return received;
}

}  // namespace

TEST_CASE("what a socket has sent arrives when it is seen off, though its peer goes on talking") {
  for (const bool ends_binds : {true, false}) {
    CAPTURE(ends_binds);
    CHECK(arrived("tcp://127.0.0.1:*", ends_binds, false) == messages);
    CHECK(arrived("tcp://127.0.0.1:*", ends_binds, true) == messages);
    CHECK(arrived("ipc://*", ends_binds, false) == messages);
    CHECK(arrived("inproc://farewell", ends_binds, false) == messages);
  }
}

TEST_CASE("a peer that reads nothing does not hold a socket for longer than it is given") {
  Context context;
  Socket ends{context,
              SocketType::dealer,
              {.bind = {"tcp://127.0.0.1:*"}, .send_queue = 1'000'000, .linger = 50ms}};
  Socket stalled{
      context, SocketType::dealer, {.connect = ends.bound(), .receive_queue = 1, .linger = 0ms}};
  for (std::uint64_t i = 0; i < messages; ++i) {
    REQUIRE(ends.send(Multipart{std::string(2000, 'x')}, 10s) == SendResult::sent);
  }
  const TimePoint start = std::chrono::steady_clock::now();
  ends.see_off(1min);
  CHECK(std::chrono::steady_clock::now() - start < 30s);
}

#include "support/stock.hpp"

#include <thread>

#include <doctest/doctest.h>

#include <busbar/core/error.hpp>
#include <busbar/core/socket.hpp>

using namespace busbar;
using namespace busbar::testing;
using namespace std::chrono_literals;

namespace {}  // namespace

TEST_CASE("a message arrives with all its frames, and being sent empties it") {
  Context context;
  Socket pull(context, SocketType::pull, {.bind = {any_port}});
  Socket push(context, SocketType::push, {.connect = {pull.bound().front()}});
  Multipart message{"one", "", "three"};
  CHECK(push.send(message, soon) == SendResult::sent);
  CHECK(message.empty());
  const std::optional<Multipart> received = pull.receive(soon);
  REQUIRE(received);
  CHECK(received->size() == 3);
  CHECK(received->text(0) == "one");
  CHECK(received->text(1).empty());
  CHECK(received->text(2) == "three");
}

TEST_CASE("inproc connects in either order, and to stock sockets of the same context") {
  Context context;
  Socket pull(context, SocketType::pull, {.connect = {"inproc://later"}});
  Socket push(context, SocketType::push, {.bind = {"inproc://later"}});
  CHECK(push.send(Multipart{"x"}) == SendResult::sent);
  CHECK(pull.receive(soon)->text(0) == "x");
}

TEST_CASE(
    "nobody to send to is `full`, at once or after the timeout, and leaves the message whole") {
  Context context;
  Socket push(context, SocketType::push, {.bind = {any_port}});
  Multipart message{"a", "b"};
  CHECK(push.send(message) == SendResult::full);
  CHECK(push.send(message, 10ms) == SendResult::full);
  CHECK(message.text(0) == "a");
  CHECK(message.text(1) == "b");
}

TEST_CASE("a router answers no_peer for an address it does not know") {
  Context context;
  Socket router(context, SocketType::router, {.bind = {any_port}});
  Multipart message{"stranger", "hello"};
  CHECK(router.send(message) == SendResult::no_peer);
  CHECK(message.text(0) == "stranger");
}

TEST_CASE("a frame above the limit is refused before it is sent") {
  Context context;
  Socket pair(context, SocketType::pair, {.bind = {"inproc://limit"}});
  CHECK(pair.send(Multipart{std::string(limits::message_bytes + 1, 'x')}) == SendResult::too_large);
  Multipart many;
  for (std::size_t i = 0; i <= limits::frames; ++i) many.push_back("f");
  CHECK(pair.send(many) == SendResult::too_large);
}

TEST_CASE("receive gives up after its timeout") {
  Context context;
  Socket pull(context, SocketType::pull, {.bind = {any_port}});
  CHECK_FALSE(pull.receive(5ms));
}

TEST_CASE(
    "another thread's use of a socket is an error that names the socket, until it is released") {
  Context context;
  Socket pull(context, SocketType::pull, {.name = "orders", .bind = {any_port}});
  Multipart message;
  CHECK_FALSE(pull.receive(message));
  std::string said;
  std::thread([&] {
    Multipart mine;
    try {
      (void)pull.receive(mine);
    } catch (const Error& error) {
      said = error.what();
    }
  }).join();
  CHECK(said.find("socket 'orders': owned by another thread") != std::string::npos);
  pull.release();
  std::thread([&] {
    Multipart mine;
    CHECK_FALSE(pull.receive(mine));
  }).join();
}

TEST_CASE("the same address twice is refused with its cause") {
  Context context;
  Socket first(context, SocketType::pull, {.bind = {any_port}});
  CHECK_THROWS_WITH_AS(Socket(context, SocketType::pull, {.bind = first.bound()}),
                       doctest::Contains("address already in use"), Error);
}

TEST_CASE("stopping a context names the sockets that are still open, and ends blocked calls") {
  Context context;
  Socket push(context, SocketType::push, {.name = "tasks", .bind = {any_port}});
  std::string said;
  std::thread waiting([&] {
    try {
      Socket pull(context, SocketType::pull, {.name = "waiting", .bind = {any_port}});
      (void)pull.receive(1min);
    } catch (const Error& error) {
      said = error.what();
    }
  });
  const StopReport report = context.stop(50ms);
  waiting.join();
  CHECK_FALSE(report.clean);
  CHECK(std::count(report.remains.begin(), report.remains.end(), "tasks (PUSH)") == 1);
  CHECK(said.find("the context was stopped") != std::string::npos);
  push.close();
  CHECK(context.stop(soon).clean);
}

TEST_CASE("the longest timeout is long, and a closed socket says so") {
  Context context;
  Socket pull(context, SocketType::pull, {.bind = {"inproc://long"}});
  Socket push(context, SocketType::push, {.connect = {"inproc://long"}});
  CHECK(push.send(Multipart{"x"}) == SendResult::sent);
  CHECK(pull.receive(std::chrono::milliseconds::max()));
  pull.close();
  Multipart message;
  CHECK_THROWS_WITH_AS((void)pull.receive(message), doctest::Contains("closed"), Error);
}

TEST_CASE("an address without a message behind it is refused by a router") {
  Context context;
  Socket router(context, SocketType::router, {.bind = {any_port}});
  CHECK_THROWS_AS((void)router.send(Multipart{"address"}), Error);
}

TEST_CASE("localhost can be bound, as 127.0.0.1") {
  Context context;
  Socket pull(context, SocketType::pull, {.bind = {"tcp://localhost:*"}});
  const std::string port = std::to_string(pull.bound().front().port());
  Socket push(context, SocketType::push, {.connect = {"tcp://127.0.0.1:" + port}});
  CHECK(push.send(Multipart{"x"}, soon) == SendResult::sent);
  CHECK(pull.receive(soon)->text(0) == "x");
}

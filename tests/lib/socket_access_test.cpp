#include "support/folder.hpp"
#include "support/stock.hpp"
#include "support/talk.hpp"

#include <arpa/inet.h>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include <doctest/doctest.h>

#include <busbar/core/error.hpp>
#include <busbar/core/socket.hpp>

using namespace busbar;
using namespace busbar::testing;
using namespace std::chrono_literals;

namespace {}  // namespace

TEST_CASE("off loopback without keys is refused, with both remedies") {
  Context context;
  CHECK_THROWS_WITH_AS(Socket(context, SocketType::pull, {.bind = {"tcp://0.0.0.0:*"}}),
                       doctest::Contains("--insecure"), Error);
}

TEST_CASE("keys without an allow-list are refused") {
  Context context;
  const Security security{.keys = CurveKeys::create()};
  CHECK_THROWS_WITH_AS(
      Socket(context, SocketType::pull, {.bind = {any_port}, .security = security}),
      doctest::Contains("allow"), Error);
}

TEST_CASE("a bound socket with keys receives, though its queue has room for a single message") {
  Context context;
  const CurveKeys server = CurveKeys::create();
  const CurveKeys client = CurveKeys::create();
  auto allow = std::make_shared<AllowList>(std::vector{client.public_key});
  Socket pull(
      context, SocketType::pull,
      {.bind = {any_port}, .security = {.keys = server, .allow = allow}, .receive_queue = 1});
  Socket push(
      context, SocketType::push,
      {.connect = pull.bound(), .security = {.keys = client, .server_key = server.public_key}});
  CHECK(push.send(Multipart{"hello"}) == SendResult::sent);
  CHECK(pull.receive(soon)->text(0) == "hello");
}

TEST_CASE("a client on the allow-list gets in; others do not, and both logs say so") {
  Talk server_talk;
  Talk client_talk;
  Context server_context({.log = server_talk.callback()});
  Context client_context({.log = client_talk.callback()});
  const CurveKeys server = CurveKeys::create();
  const CurveKeys friendly = CurveKeys::create();
  const CurveKeys stranger = CurveKeys::create();
  auto allow = std::make_shared<AllowList>(std::vector{friendly.public_key});
  Socket pull(server_context, SocketType::pull,
              {.bind = {any_port}, .security = {.keys = server, .allow = allow}});
  const auto client = [&](const CurveKeys& keys) {
    return Socket(
        client_context, SocketType::push,
        {.connect = pull.bound(), .security = {.keys = keys, .server_key = server.public_key}});
  };
  Socket good = client(friendly);
  CHECK(good.send(Multipart{"hello"}) == SendResult::sent);
  CHECK(pull.receive(soon)->text(0) == "hello");

  Socket bad = client(stranger);
  CHECK(bad.send(Multipart{"let me in"}) == SendResult::sent);
  CHECK(eventually([&] {
    bad.maintain();
    return client_talk.has("handshake failed") && server_talk.has("not on the allow-list");
  }));
  CHECK_FALSE(pull.receive(10ms));
}

TEST_CASE("a client without keys is refused by a socket with keys, and the log says so") {
  Talk talk;
  Context context({.log = talk.callback()});
  const CurveKeys keys = CurveKeys::create();
  auto nobody = std::make_shared<AllowList>(std::vector<std::string>{});
  Socket pull(context, SocketType::pull,
              {.bind = {any_port}, .security = {.keys = keys, .allow = nobody}});
  zmq::context_t stock;
  Stock plain(stock, zmq::socket_type::push);
  plain.connect(pull.bound().front().str());
  CHECK(eventually([&] {
    pull.maintain();
    return talk.has("handshake failed");
  }));
}

TEST_CASE("a socket may be told of failures only, and still ends when its connections are cut") {
  Talk talk;
  Context context({.log = talk.callback()});
  const CurveKeys keys = CurveKeys::create();
  auto friends = std::make_shared<AllowList>(std::vector{keys.public_key});
  Socket pull(
      context, SocketType::pull,
      {.bind = {any_port}, .security = {.keys = keys, .allow = friends}, .failures_only = true});
  int events = 0;
  pull.on_event([&](const SocketEvent& event) {
    ++events;
    CHECK(event.kind == SocketEvent::Kind::handshake_failed);
  });
  Socket push(context, SocketType::push,
              {.connect = pull.bound(), .security = {.keys = keys, .server_key = keys.public_key}});
  CHECK(push.send(Multipart{"hello"}) == SendResult::sent);
  CHECK(pull.receive(soon)->text(0) == "hello");
  CHECK(events == 0);
  CHECK(pull.peers().empty());
  zmq::context_t stock;
  Stock plain(stock, zmq::socket_type::push);
  plain.connect(pull.bound().front().str());
  CHECK(eventually([&] {
    pull.maintain();
    return talk.has("handshake failed") && events > 0;
  }));
  const auto before = std::chrono::steady_clock::now();
  pull.close(0ms);
  CHECK(std::chrono::steady_clock::now() - before < 900ms);
}

TEST_CASE("an ipc path that is a regular file is refused and left alone") {
  Context context;
  const Folder folder;
  std::ofstream(folder.path("precious")) << "data";
  CHECK_THROWS_WITH_AS(
      Socket(context, SocketType::pull, {.bind = {"ipc://" + folder.path("precious")}}),
      doctest::Contains("regular file"), Error);
  CHECK(std::filesystem::file_size(folder.path("precious")) == 4);
}

TEST_CASE("permissions that cannot be set are no permissions") {
  Context context;
  const Folder folder;
  const Endpoint abstract{"ipc://@" + folder.path("x")};
  CHECK_THROWS_WITH_AS(Socket(context, SocketType::pull, {.bind = {abstract}, .ipc_mode = 0600}),
                       doctest::Contains("set the permissions of ipc://@"), Error);
}

TEST_CASE("an ipc path is not taken from whoever serves it, and is free again when that one ends") {
  Context context;
  const Folder folder;
  const Endpoint endpoint("ipc://" + folder.path("desk"));
  {
    Socket first(context, SocketType::pull, {.bind = {endpoint}, .ipc_mode = 0600});
    struct stat status {};
    CHECK(stat(endpoint.path().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    CHECK_THROWS_WITH_AS(
        Socket(context, SocketType::pull, {.bind = {endpoint}}),
        doctest::Contains(("already served by pid " + std::to_string(getpid())).c_str()), Error);
  }
  CHECK(eventually([&] {
    try {
      Socket second(context, SocketType::pull, {.bind = {endpoint}});
      return true;
    } catch (const Error&) {
      return false;  // libzmq closes the first listener in the background
    }
  }));
  CHECK(eventually([&] { return !std::filesystem::exists(endpoint.path()); }));
}

TEST_CASE("who connects and says nothing is no peer, and refused once it leaves") {
  Context context;
  Socket pull(context, SocketType::pull, {.bind = {any_port}});
  bool accepted = false;
  pull.on_event([&](const SocketEvent& event) {
    accepted = accepted || event.kind == SocketEvent::Kind::accepted;
  });
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(pull.bound().front().port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int silent = socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(connect(silent, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  CHECK(eventually([&] {
    pull.maintain();
    return accepted;
  }));
  CHECK(pull.peers().empty());
  close(silent);
  CHECK(eventually([&] {
    pull.maintain();
    return pull.peers().size() == 1;
  }));
  CHECK(pull.peers()[0].refused == 1);
  CHECK(pull.peers()[0].connections == 0);
  CHECK_FALSE(pull.peers()[0].connected);
}

TEST_CASE("raw ZMTP 1.0 bytes on an open port are no message") {
  Context context;
  Socket pull(context, SocketType::pull, {.bind = {any_port}});
  zmq::context_t stock;
  zmq::socket_t raw(stock, zmq::socket_type::stream);
  raw.connect(pull.bound().front().str());
  zmq::message_t id;
  REQUIRE(raw.recv(id));
  zmq::message_t nothing;
  REQUIRE(raw.recv(nothing));
  raw.send(id, zmq::send_flags::sndmore);
  raw.send(zmq::buffer(std::string("\x01\x00\x06\x00hello", 9)), zmq::send_flags::none);
  Socket good(context, SocketType::push, {.connect = pull.bound()});
  CHECK(good.send(Multipart{"good"}) == SendResult::sent);
  CHECK(pull.receive(soon)->text(0) == "good");
}

TEST_CASE("without a descriptor left, the log says why nobody gets in, and good peers go on") {
  Talk talk;
  Context context({.log = talk.callback()});
  Socket pull(context, SocketType::pull, {.bind = {any_port}});
  zmq::context_t stock;
  Stock good(stock, zmq::socket_type::push);
  good.connect(pull.bound().front().str());
  good.send({"before"});
  CHECK(pull.receive(soon)->text(0) == "before");

  rlimit usual{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &usual) == 0);
  const int late = socket(AF_INET, SOCK_STREAM, 0);
  // A descriptor number is refused from the limit on, so the limit is what `late` took last.
  const rlimit none_left{static_cast<rlim_t>(late) + 1, usual.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none_left) == 0);
  std::vector<int> filled;
  for (int fd = dup(late); fd >= 0; fd = dup(late)) filled.push_back(fd);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(pull.bound().front().port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(connect(late, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  CHECK(eventually([&] {
    pull.maintain();
    return talk.has("accept failed");
  }));
  good.send({"meanwhile"});
  CHECK(pull.receive(soon)->text(0) == "meanwhile");

  setrlimit(RLIMIT_NOFILE, &usual);
  for (const int fd : filled) close(fd);
  close(late);
}

#include "support/folder.hpp"
#include "support/stock.hpp"

#include <arpa/inet.h>
#include <filesystem>
#include <fstream>
#include <mutex>
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

namespace {

const char* any_port = "tcp://127.0.0.1:*";

/// Collects what the library says, from whichever thread.
struct Talk {
  LogCallback callback() {
    return [this](LogLevel, std::string_view text) {
      const std::scoped_lock lock(mutex);
      said += std::string(text) + "\n";
    };
  }
  bool has(std::string_view text) {
    const std::scoped_lock lock(mutex);
    return said.find(text) != std::string::npos;
  }
  std::mutex mutex;
  std::string said;
};

}  // namespace

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

TEST_CASE("the same address twice is refused with its cause") {
  Context context;
  Socket first(context, SocketType::pull, {.bind = {any_port}});
  CHECK_THROWS_WITH_AS(Socket(context, SocketType::pull, {.bind = first.bound()}),
                       doctest::Contains("address already in use"), Error);
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

TEST_CASE("a subscriber hears again after a publisher sent it an oversize frame") {
  Context context;
  zmq::context_t stock;
  Stock publisher(stock, zmq::socket_type::xpub);
  publisher.raw().bind("tcp://127.0.0.1:*");
  Socket sub(context, SocketType::sub,
             {.connect = {publisher.raw().get(zmq::sockopt::last_endpoint)}, .receive_max = 1000});
  sub.subscribe(TopicPattern::raw_prefix(""));
  CHECK(publisher.receive().size() == 1);
  publisher.send({std::string(2000, 'x')});
  // The repaired connection subscribes anew.
  CHECK(eventually([&] {
    sub.maintain();
    zmq::message_t subscription;
    return publisher.raw().recv(subscription, zmq::recv_flags::dontwait) &&
           subscription.size() == 1 && *subscription.data<char>() == 1;
  }));
  publisher.send({"small"});
  CHECK(sub.receive(soon)->text(0) == "small");
}

TEST_CASE("a host name is looked up, and an unknown one is named in the log") {
  Talk talk;
  Context context({.log = talk.callback()});
  Socket pull(context, SocketType::pull, {.bind = {any_port}, .ipv4_only = true});
  const std::string port = std::to_string(pull.bound().front().port());
  Socket push(
      context, SocketType::push,
      {.connect = {"tcp://localhost:" + port, "tcp://no-such-host.invalid:1"}, .ipv4_only = true});
  CHECK(push.send(Multipart{"x"}, soon) == SendResult::sent);
  CHECK(pull.receive(soon)->text(0) == "x");
  CHECK(eventually([&] {
    push.maintain();
    return talk.has("cannot resolve 'no-such-host.invalid' (retrying)");
  }));
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

TEST_CASE("a socket that is closed and waited for has cut its connections and freed its address") {
  Context context;
  Socket first(context, SocketType::pull, {.bind = {any_port}});
  const Endpoint endpoint = first.bound().front();
  Socket push(context, SocketType::push, {.connect = {endpoint}});
  CHECK(push.send(Multipart{"1"}) == SendResult::sent);
  CHECK(first.receive(soon)->text(0) == "1");
  first.close(0ms);
  const Socket second(context, SocketType::pull, {.bind = {endpoint}});
  CHECK(second.bound().front() == endpoint);
  CHECK_THROWS_AS((void)first.raw(), Error);
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

TEST_CASE("what was sent while the peer was away arrives when it is back on the same address") {
  Talk talk;
  Context context({.log = talk.callback()});
  auto pull = std::make_unique<Socket>(context, SocketType::pull,
                                       SocketOptions{.bind = {"tcp://127.0.0.1:*"}});
  const Endpoint endpoint = pull->bound().front();
  Socket push(context, SocketType::push, {.connect = {endpoint}});
  CHECK(push.send(Multipart{"first"}) == SendResult::sent);
  CHECK(pull->receive(soon)->text(0) == "first");
  pull.reset();
  const auto connected = [&] {
    push.maintain();
    return push.peers().size() == 1 && push.peers()[0].connected;
  };
  CHECK(eventually([&] { return !connected(); }));
  for (int i = 0; i < 100; ++i) CHECK(push.send(Multipart{"away"}) == SendResult::sent);
  // Away for longer than the connector waits for libzmq to say that it retries.
  const auto until = std::chrono::steady_clock::now() + 1s;
  while (std::chrono::steady_clock::now() < until) push.maintain();

  CHECK(eventually([&] {
    try {
      pull = std::make_unique<Socket>(context, SocketType::pull, SocketOptions{.bind = {endpoint}});
      return true;
    } catch (const Error&) {
      return false;  // libzmq closes the first listener in the background
    }
  }));
  for (int i = 0; i < 100; ++i) {
    std::optional<Multipart> message;
    CHECK(eventually([&] {
      push.maintain();
      message = pull->receive(10ms);
      return message.has_value();
    }));
  }
  CHECK_FALSE(talk.has("protocol error"));
  CHECK(push.peers().size() == 1);
}

TEST_CASE("one ipc peer that leaves does not take the others with it") {
  Context context;
  const Folder folder;
  Socket pull(context, SocketType::pull, {.bind = {"ipc://" + folder.path("p")}});
  zmq::context_t stock;
  Stock stays(stock, zmq::socket_type::push);
  stays.connect(pull.bound().front().str());
  auto leaves = std::make_unique<Stock>(stock, zmq::socket_type::push);
  leaves->connect(pull.bound().front().str());
  int gone = 0;
  pull.on_event([&](const SocketEvent& event) {
    if (event.kind == SocketEvent::Kind::disconnected) ++gone;
  });
  CHECK(eventually([&] {
    pull.maintain();
    return pull.peers().size() == 1 && pull.peers()[0].connections == 2;
  }));
  leaves.reset();
  CHECK(eventually([&] {
    pull.maintain();
    return gone == 1;
  }));
  CHECK(pull.peers()[0].connected);
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

TEST_CASE("a subscriber whose publisher is not there does not keep its process waiting") {
  Context context;
  Socket subscriber(context, SocketType::sub, {.connect = {"tcp://127.0.0.1:1"}});
  subscriber.subscribe("a");
  CHECK(subscriber.get(zmq::sockopt::linger) == 0);
  Socket sender(context, SocketType::push, {.connect = {"tcp://127.0.0.1:1"}});
  CHECK(sender.get(zmq::sockopt::linger) == 1000);
}

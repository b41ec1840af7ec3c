#include "support/folder.hpp"
#include "support/stock.hpp"
#include "support/talk.hpp"

#include <algorithm>
#include <thread>

#include <doctest/doctest.h>

#include <busbar/core/error.hpp>
#include <busbar/core/socket.hpp>

using namespace busbar;
using namespace busbar::testing;
using namespace std::chrono_literals;

namespace {}  // namespace

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

TEST_CASE("a peer that is another kind of socket is told of at both ends, and no other peer is") {
  Context context;
  Socket pull(context, SocketType::pull, {.bind = {any_port}});
  Socket push(context, SocketType::push, {.connect = pull.bound()});
  CHECK(push.send(Multipart{"1"}) == SendResult::sent);
  CHECK(pull.receive(soon));
  push.close();
  const auto told = [](Socket& socket) {
    socket.maintain();
    return std::any_of(socket.peers().begin(), socket.peers().end(), [](const PeerInfo& peer) {
      return peer.last_failure.find("another kind of socket") != std::string::npos;
    });
  };
  CHECK(eventually([&] {
    pull.maintain();
    return !pull.peers().empty() && !pull.peers().front().connected;
  }));
  CHECK_FALSE(told(pull));
  Socket sub(context, SocketType::sub, {.connect = pull.bound()});
  CHECK(eventually([&] { return told(sub); }));
  CHECK(eventually([&] { return told(pull); }));
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

TEST_CASE("a subscriber whose publisher is not there does not keep its process waiting") {
  Context context;
  Socket subscriber(context, SocketType::sub, {.connect = {"tcp://127.0.0.1:1"}});
  subscriber.subscribe("a");
  CHECK(subscriber.get(zmq::sockopt::linger) == 0);
  Socket sender(context, SocketType::push, {.connect = {"tcp://127.0.0.1:1"}});
  CHECK(sender.get(zmq::sockopt::linger) == 1000);
}

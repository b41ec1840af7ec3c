#include "support/device_bench.hpp"

#include <doctest/doctest.h>

#include <busbar/core/error.hpp>
#include <busbar/devices/device.hpp>

using namespace busbar;
using namespace busbar::testing;
using namespace std::chrono_literals;
using Frames = std::vector<std::string>;

TEST_CASE("a forwarder carries topics to those who subscribed, and to nobody else") {
  DeviceBench<Forwarder> bench;
  Stock eur = bench.back(zmq::socket_type::sub);
  eur.subscribe("eur");
  Stock all = bench.back(zmq::socket_type::sub);
  all.subscribe("");
  Stock publisher = bench.front(zmq::socket_type::xpub);
  CHECK(publisher.receive().size() == 1);
  CHECK(publisher.receive().size() == 1);

  publisher.send({"usd", "1"});
  publisher.send({"eur", "2"});
  CHECK(eur.receive() == Frames{"eur", "2"});
  CHECK(all.receive() == Frames{"usd", "1"});
  CHECK(all.receive() == Frames{"eur", "2"});

  const Ledger ledger = bench.device.ledger();
  CHECK(ledger.frontend.received == 2);
  CHECK(ledger.backend.sent == 2);
  CHECK(ledger.subscriptions.received == 2);
  CHECK(ledger.topics.size() == 2);
  CHECK(ledger.reconciles());
}

TEST_CASE("a streamer hands every message to exactly one worker") {
  DeviceBench<Streamer> bench;
  Stock one = bench.back(zmq::socket_type::pull);
  Stock two = bench.back(zmq::socket_type::pull);
  Stock source = bench.front(zmq::socket_type::push);
  CHECK(bench.ledger_shows([](const Ledger& l) { return l.peers.size() == 3; }));
  for (int i = 0; i < 10; ++i) CHECK(source.send({std::to_string(i)}));
  int total = 0;
  for (int i = 0; i < 5; ++i)
    total += std::stoi(one.receive().at(0)) + std::stoi(two.receive().at(0));
  CHECK(total == 45);
  CHECK(bench.device.ledger().reconciles());
}

TEST_CASE("what is sent after a device has ended is for the one that takes its address over") {
  // More than once: an old connection that was still open took every third message.
  for (int round = 0; round < 10; ++round) {
    zmq::context_t stock;
    Context context;
    Streamer old(context, on_any_port());
    Runner ending(old);
    Stock source(stock, zmq::socket_type::push);
    source.connect(old.frontend().front().str());
    CHECK(eventually([&] { return old.ledger().peers.size() == 1; }));
    old.stop();
    CHECK(ending.wait(soon));
    Streamer next(context, {.frontend = {.bind = old.frontend()}, .backend = {.bind = {any_port}}});
    Runner running(next);
    source.send({"once"});
    CHECK(eventually([&] { return next.ledger().frontend.received == 1; }));
  }
}

TEST_CASE("a queue proxy brings each reply back to the one who asked") {
  DeviceBench<QueueProxy> bench;
  Stock worker = bench.back(zmq::socket_type::rep);
  Stock first = bench.front(zmq::socket_type::req);
  Stock second = bench.front(zmq::socket_type::req);
  first.send({"1"});
  second.send({"2"});
  for (int i = 0; i < 2; ++i) worker.send({"re:" + worker.receive().at(0)});
  CHECK(first.receive() == Frames{"re:1"});
  CHECK(second.receive() == Frames{"re:2"});
  CHECK(bench.device.ledger().reconciles());
}

TEST_CASE("a reply to a client that has gone is counted as no_peer, and the others go on") {
  DeviceBench<QueueProxy> bench;
  Stock worker = bench.back(zmq::socket_type::rep);
  {
    Stock gone = bench.front(zmq::socket_type::req);
    gone.send({"question"});
    CHECK(worker.receive() == Frames{"question"});
  }
  CHECK(bench.ledger_shows([](const Ledger& l) {
    return std::any_of(l.peers.begin(), l.peers.end(),
                       [](const PeerInfo& p) { return p.side == "frontend" && !p.connected; });
  }));
  worker.send({"too late"});
  CHECK(bench.ledger_shows([](const Ledger& l) { return l.frontend[Cause::no_peer] == 1; }));

  Stock here = bench.front(zmq::socket_type::req);
  here.send({"again"});
  worker.send({"re:" + worker.receive().at(0)});
  CHECK(here.receive() == Frames{"re:again"});
  CHECK(bench.device.ledger().reconciles());
}

TEST_CASE("a streamer without workers holds one message, and hands all on when one comes") {
  DeviceBench<Streamer> bench;
  Stock source = bench.front(zmq::socket_type::push);
  for (int i = 0; i < 3; ++i) source.send({std::to_string(i)});
  CHECK(bench.ledger_shows([](const Ledger& l) { return l.backend.held == 1; }));
  CHECK(bench.device.ledger().reconciles());
  Stock worker = bench.back(zmq::socket_type::pull);
  for (int i = 0; i < 3; ++i) CHECK(worker.receive() == Frames{std::to_string(i)});
  CHECK(bench.device.ledger().backend.held == 0);
}

TEST_CASE("a streamer that may drop counts what it drops") {
  DeviceOptions options = on_any_port();
  options.overflow = Overflow::drop;
  DeviceBench<Streamer> bench(options);
  Stock source = bench.front(zmq::socket_type::push);
  for (int i = 0; i < 3; ++i) source.send({"x"});
  CHECK(bench.ledger_shows([](const Ledger& l) { return l.backend[Cause::overflow] == 3; }));
  CHECK(bench.device.ledger().reconciles());
}

namespace {

/// Publishes until the forwarder's ledger shows what is waited for.
bool flood(DeviceBench<Forwarder>& bench, Stock& publisher, Stock* fast,
           const std::function<bool(const Ledger&)>& condition) {
  const std::string payload(1000, 'x');
  for (int i = 0; i < 1'000'000; ++i) {
    const auto topic_first = zmq::send_flags::dontwait | zmq::send_flags::sndmore;
    if (publisher.raw().send(zmq::str_buffer("flood"), topic_first)) {  // else it reads no more
      publisher.raw().send(zmq::buffer(payload), zmq::send_flags::dontwait);
    }
    zmq::message_t copy;
    while (fast != nullptr && fast->raw().recv(copy, zmq::recv_flags::dontwait)) {
    }
    if (i % 100 == 0 && condition(bench.device.ledger())) return true;
  }
  return false;
}

DeviceOptions small_queues() {
  DeviceOptions options = on_any_port();
  options.frontend.queue = options.backend.queue = 10;
  return options;
}

}  // namespace

TEST_CASE("one subscriber that does not read loses messages, counted, and the others lose none") {
  DeviceOptions options = small_queues();
  options.backend.queue = 1000;
  DeviceBench<Forwarder> bench(options);
  Stock slow(bench.stock, zmq::socket_type::sub);
  slow.raw().set(zmq::sockopt::rcvhwm, 1);
  slow.connect(bench.device.backend().front().str()).subscribe("");
  Stock publisher = bench.front(zmq::socket_type::xpub);
  CHECK(publisher.receive().size() == 1);
  CHECK(flood(bench, publisher, nullptr,
              [](const Ledger& l) { return l.backend[Cause::overflow] > 0; }));
  CHECK(bench.ledger_shows([](const Ledger& l) { return l.slow_peers.size() == 1; }));
  const Ledger lossy = bench.device.ledger();
  REQUIRE(lossy.dropped_topics.size() == 1);
  CHECK(lossy.dropped_topics[0].topic == "flood");
  CHECK(lossy.dropped_topics[0].messages == lossy.backend[Cause::overflow]);

  Stock fast = bench.back(zmq::socket_type::sub);
  fast.subscribe("fast");
  CHECK(publisher.receive() == Frames{"\1fast"});
  // The publisher's own queue is full of the flood, so it may drop this itself for a while.
  fast.raw().set(zmq::sockopt::rcvtimeo, 20);
  CHECK(eventually([&] {
    publisher.send({"fast", "here"});
    return fast.receive() == Frames{"fast", "here"};
  }));
  CHECK(bench.device.ledger().reconciles());
}

TEST_CASE("a forwarder told to block holds back its publishers for a slow subscriber") {
  DeviceOptions options = small_queues();
  options.overflow = Overflow::block;
  DeviceBench<Forwarder> bench(options);
  Stock slow(bench.stock, zmq::socket_type::sub);
  slow.raw().set(zmq::sockopt::rcvhwm, 1);
  slow.connect(bench.device.backend().front().str()).subscribe("");
  Stock publisher = bench.front(zmq::socket_type::xpub);
  CHECK(publisher.receive().size() == 1);
  CHECK(flood(bench, publisher, nullptr, [](const Ledger& l) { return l.backend.held == 1; }));
  while (bench.device.ledger().backend.held == 1) CHECK(slow.receive().size() == 2);
  CHECK(bench.device.ledger().reconciles());
  CHECK(bench.device.ledger().backend[Cause::overflow] == 0);
}

TEST_CASE("a paused device moves nothing, and everything once it is resumed") {
  DeviceBench<Streamer> bench;
  Stock source = bench.front(zmq::socket_type::push);
  Stock worker = bench.back(zmq::socket_type::pull);
  bench.device.pause();
  CHECK(bench.ledger_shows([](const Ledger& l) { return l.state == "paused"; }));
  source.send({"waiting"});
  worker.raw().set(zmq::sockopt::rcvtimeo, 100);
  CHECK(worker.receive().empty());
  bench.device.resume();
  worker.raw().set(zmq::sockopt::rcvtimeo, 10'000);
  CHECK(worker.receive() == Frames{"waiting"});
}

TEST_CASE("a drained streamer hands on what is queued, and then ends") {
  DeviceBench<Streamer> bench;
  Stock source = bench.front(zmq::socket_type::push);
  for (int i = 0; i < 50; ++i) source.send({std::to_string(i)});
  CHECK(bench.ledger_shows([](const Ledger& l) { return l.backend.held == 1; }));
  bench.device.drain(10s);
  Stock worker = bench.back(zmq::socket_type::pull);
  for (int i = 0; i < 50; ++i) CHECK(worker.receive() == Frames{std::to_string(i)});
  CHECK(bench.running.wait(10s));
  CHECK(bench.device.ledger().state == "stopped");
  CHECK(bench.device.ledger().reconciles());
}

TEST_CASE("a draining queue proxy waits for the reply that is due") {
  DeviceBench<QueueProxy> bench;
  Stock worker = bench.back(zmq::socket_type::rep);
  Stock client = bench.front(zmq::socket_type::req);
  client.send({"question"});
  CHECK(worker.receive() == Frames{"question"});
  bench.device.drain(10s);
  CHECK(bench.ledger_shows([](const Ledger& l) { return l.state == "draining"; }));
  worker.send({"answer"});
  CHECK(client.receive() == Frames{"answer"});
  CHECK(bench.running.wait(10s));
}

TEST_CASE("idle, paused or blocked, a device stops within 100 ms and says what it left behind") {
  DeviceBench<Streamer> bench;
  std::uint64_t left_behind = 0;
  SUBCASE("idle") {}
  SUBCASE("paused") {
    bench.device.pause();
    CHECK(bench.ledger_shows([](const Ledger& l) { return l.state == "paused"; }));
  }
  Stock source = bench.front(zmq::socket_type::push);
  SUBCASE("blocked without a worker") {
    for (int i = 0; i < 5; ++i) source.send({"work"});
    CHECK(bench.ledger_shows([](const Ledger& l) { return l.backend.held == 1; }));
    left_behind = 1;
  }
  const auto start = std::chrono::steady_clock::now();
  const StopReport report = bench.running.stop(0ms);
  CHECK(std::chrono::steady_clock::now() - start < 100ms);
  CHECK(report.remains.empty());
  CHECK(report.abandoned >= left_behind);
  CHECK(bench.device.ledger().reconciles());
}

TEST_CASE("a device whose endpoint is taken says so, with the address and a remedy") {
  Context context;
  Streamer first(context, on_any_port());
  DeviceOptions options = on_any_port();
  options.frontend.bind = first.frontend();
  try {
    Streamer second(context, options);
    FAIL("bound twice");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::unreachable);
    CHECK(std::string(error.what()).find(first.frontend().front().str()) != std::string::npos);
    CHECK(error.cause() == "address already in use");
  }
}

TEST_CASE("a device with a side that has no endpoint is refused") {
  Context context;
  CHECK_THROWS_WITH_AS(Streamer(context, {.name = "lone", .frontend = {.bind = {any_port}}}),
                       doctest::Contains("its backend has no endpoint"), Error);
}

TEST_CASE("a stage that needs topics is refused outside a forwarder") {
  Context context;
  DeviceOptions options = on_any_port();
  options.stages = {only("prices.>")};
  CHECK_THROWS_WITH_AS(Streamer(context, options), doctest::Contains("needs a topic"), Error);
}

TEST_CASE("stages rename topics on their way, and subscriptions on theirs") {
  DeviceOptions options = on_any_port();
  options.stages = {only("prices.>"), busbar::rename("prices", "fx")};
  DeviceBench<Forwarder> bench(options);
  Stock subscriber = bench.back(zmq::socket_type::sub);
  subscriber.subscribe("fx.eur");
  Stock publisher = bench.front(zmq::socket_type::pub);
  // The subscription arrives at an unknown time, so publish until it has.
  subscriber.raw().set(zmq::sockopt::rcvtimeo, 20);
  Frames got;
  CHECK(eventually([&] {
    publisher.send({"prices.eur", "1.08"});
    got = subscriber.receive();
    return !got.empty();
  }));
  CHECK(got == Frames{"fx.eur", "1.08"});
  CHECK(bench.device.ledger().reconciles());
}

TEST_CASE("a message of more than 64 frames is refused and counted, and the peer goes on") {
  DeviceBench<Streamer> bench;
  Stock source = bench.front(zmq::socket_type::push);
  Stock worker = bench.back(zmq::socket_type::pull);
  source.send(Frames(100'000, "frame"));
  source.send({"good"});
  CHECK(worker.receive() == Frames{"good"});
  CHECK(bench.device.ledger().frontend[Cause::too_many_frames] == 1);
  CHECK(bench.device.ledger().reconciles());
}

TEST_CASE("a subscription longer than a topic may be is refused, and counted") {
  DeviceBench<Forwarder> bench;
  Stock subscriber = bench.back(zmq::socket_type::sub);
  subscriber.subscribe(std::string(limits::topic_bytes + 1, 'x'));
  subscriber.subscribe("good");
  Stock publisher = bench.front(zmq::socket_type::xpub);
  CHECK(publisher.receive() == Frames{"\1good"});
  CHECK(bench.ledger_shows([](const Ledger& l) { return l.subscriptions.refused == 1; }));
}

TEST_CASE("a subscription of 100 KB never reaches libzmq's tree, and the other peers go on") {
  DeviceBench<Forwarder> bench;
  Stock hostile = bench.back(zmq::socket_type::sub);
  hostile.subscribe(std::string(100'000, 'x'));
  CHECK(bench.ledger_shows([](const Ledger& l) {
    return std::any_of(l.peers.begin(), l.peers.end(),
                       [](const PeerInfo& p) { return p.side == "backend" && !p.connected; });
  }));
  Stock subscriber = bench.back(zmq::socket_type::sub);
  subscriber.subscribe("good");
  Stock publisher = bench.front(zmq::socket_type::xpub);
  CHECK(publisher.receive() == Frames{"\1good"});
  CHECK(bench.device.ledger().subscriptions.received == 1);
}

TEST_CASE("a device ends when its context is stopped, paused or not") {
  Context context;
  Streamer device(context, on_any_port());
  SUBCASE("running") {}
  SUBCASE("paused") { device.pause(); }
  Runner running(device);
  CHECK(context.stop(soon).clean);
  CHECK(running.wait(soon));
  CHECK(device.ledger().state == "stopped");
}

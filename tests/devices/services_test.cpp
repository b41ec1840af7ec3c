#include "support/device_bench.hpp"

#include <thread>

#include <doctest/doctest.h>

#include <busbar/core/error.hpp>
#include <busbar/devices/control_client.hpp>
#include <busbar/devices/topology/topology.hpp>

using namespace busbar;
using namespace busbar::testing;
using namespace std::chrono_literals;
using Frames = std::vector<std::string>;

namespace {

DeviceOptions services_anywhere() { return {.frontend = {.bind = {any_port}}}; }

DeviceOptions ready_anywhere() {
  DeviceOptions options = on_any_port();
  options.strategy = Strategy::ready;
  return options;
}

/// All that it says until this; heartbeats come between.
Frames next_but(Stock& socket, const Frames& heartbeat) {
  Frames frames = socket.receive();
  while (frames == heartbeat) frames = socket.receive();
  return frames;
}

const Frames beat_02{"MDPW02", "\5"};

}  // namespace

TEST_CASE("services carry requests of both versions to workers of both") {
  DeviceBench<Services> bench{services_anywhere()};
  Stock old_worker = bench.front(zmq::socket_type::dealer);
  Stock new_worker = bench.front(zmq::socket_type::dealer);
  old_worker.send({"", "MDPW01", "\1", "old"});
  new_worker.send({"MDPW02", "\1", "new"});
  Stock old_client = bench.front(zmq::socket_type::req);
  Stock new_client = bench.front(zmq::socket_type::dealer);

  old_client.send({"MDPC01", "new", "hello"});
  Frames request = next_but(new_worker, beat_02);
  REQUIRE(request.size() == 5);
  CHECK(request[4] == "hello");
  new_worker.send({"MDPW02", "\3", request[2], "", "hel"});
  new_worker.send({"MDPW02", "\4", request[2], "", "lo"});
  CHECK(old_client.receive() == Frames{"MDPC01", "new", "hel", "lo"});

  new_client.send({"MDPC02", "\1", "old", "hello", "you"});
  request = next_but(old_worker, {"", "MDPW01", "\4"});
  REQUIRE(request.size() == 7);
  CHECK(Frames(request.begin() + 4, request.end()) == Frames{"", "hello", "you"});
  old_worker.send({"", "MDPW01", "\3", request[3], "", "yes"});
  CHECK(new_client.receive() == Frames{"MDPC02", "\3", "old", "yes"});

  const Ledger ledger = bench.device.ledger();
  CHECK(ledger.kind == "services");
  CHECK(ledger.frontend.received == 2);
  CHECK(ledger.backend.received == 3);
  CHECK(ledger.topics.size() == 2);
  CHECK(ledger.reconciles());
}

TEST_CASE("services send heartbeats, also while they are paused") {
  DeviceOptions options = services_anywhere();
  options.workers.heartbeat = 20ms;
  DeviceBench<Services> bench{options};
  Stock worker = bench.front(zmq::socket_type::dealer);
  worker.send({"MDPW02", "\1", "echo"});
  CHECK(worker.receive() == beat_02);
  bench.device.pause();
  CHECK(bench.ledger_shows([](const Ledger& l) { return l.state == "paused"; }));
  for (int i = 0; i < 5; ++i) CHECK(worker.receive() == beat_02);
  Stock client = bench.front(zmq::socket_type::dealer);
  client.send({"MDPC02", "\1", "echo", "1"});
  CHECK(bench.ledger_shows([](const Ledger& l) { return l.backend.held == 1; }));
  bench.device.resume();
  CHECK(next_but(worker, beat_02).at(4) == "1");
}

TEST_CASE("a worker whose connection is gone is forgotten within a heartbeat, busy or free") {
  DeviceOptions options = services_anywhere();
  options.workers.heartbeat = 20ms;
  options.workers.expiry = 1h;
  DeviceBench<Services> bench{options};
  Stock client = bench.front(zmq::socket_type::dealer);
  const auto served = [&] {
    client.send({"MDPC02", "\1", "mmi.service", "echo"});
    return client.receive().at(3) == "200";
  };
  for (const bool busy : {false, true}) {
    CAPTURE(busy);
    Stock worker = bench.front(zmq::socket_type::dealer);
    worker.send({"MDPW02", "\1", "echo"});
    CHECK(eventually(served));
    if (busy) {
      client.send({"MDPC02", "\1", "echo", "1"});
      CHECK(next_but(worker, beat_02).size() == 5);
    }
    worker.raw().close();
    CHECK(eventually([&] { return !served(); }));
  }
  CHECK(bench.device.ledger().reconciles());
}

TEST_CASE("a drain of services answers what is under way, and sends the workers away") {
  DeviceBench<Services> bench{services_anywhere()};
  Stock worker = bench.front(zmq::socket_type::dealer);
  Stock client = bench.front(zmq::socket_type::dealer);
  worker.send({"MDPW02", "\1", "echo"});
  client.send({"MDPC02", "\1", "echo", "1"});
  client.send({"MDPC02", "\1", "echo", "2"});
  Frames request = next_but(worker, beat_02);
  bench.device.drain(10s);
  CHECK(bench.ledger_shows([](const Ledger& l) { return l.state == "draining"; }));
  worker.send({"MDPW02", "\4", request[2], "", "1"});
  request = next_but(worker, beat_02);
  CHECK(request.at(4) == "2");
  worker.send({"MDPW02", "\4", request[2], "", "2"});
  CHECK(client.receive().at(3) == "1");
  CHECK(client.receive().at(3) == "2");
  CHECK(bench.running.wait(soon));
  CHECK(next_but(worker, beat_02) == Frames{"MDPW02", "\6"});
  CHECK(bench.running.stop(0ms).clean);
}

TEST_CASE("a stop of services counts what is held as abandoned") {
  DeviceBench<Services> bench{services_anywhere()};
  Stock client = bench.front(zmq::socket_type::dealer);
  client.send({"MDPC02", "\1", "echo", "1"});
  CHECK(bench.ledger_shows([](const Ledger& l) { return l.backend.held == 1; }));
  const StopReport report = bench.running.stop(0ms);
  CHECK(report.abandoned == 1);
  CHECK(bench.device.ledger().frontend[Cause::abandoned] == 1);
  CHECK(bench.device.ledger().reconciles());
}

TEST_CASE("hostile frames cost the one who sends them, and nobody else") {
  DeviceBench<Services> bench{services_anywhere()};
  Stock worker = bench.front(zmq::socket_type::dealer);
  worker.send({"MDPW02", "\1", "echo"});
  Stock hostile = bench.front(zmq::socket_type::dealer);
  hostile.send({""});
  hostile.send({"", "", ""});
  hostile.send({"MDPC02"});
  hostile.send({"MDPC02", "\2", "echo", "x"});
  hostile.send({"MDPW02", "\4", "somebody", "", "x"});
  hostile.send({"MDPW02", "\1", ""});
  hostile.send(Frames(100, "x"));
  Stock client = bench.front(zmq::socket_type::dealer);
  client.send({"MDPC02", "\1", "echo", "1"});
  const Frames request = next_but(worker, beat_02);
  worker.send({"MDPW02", "\4", request[2], "", "1"});
  CHECK(client.receive().at(3) == "1");
  CHECK(bench.ledger_shows([](const Ledger& l) {
    return l.frontend[Cause::malformed] == 4 && l.frontend[Cause::too_many_frames] == 1 &&
           l.backend[Cause::malformed] == 2;
  }));
  CHECK(bench.device.ledger().reconciles());
}

TEST_CASE("a ready queue serves REQ workers, each with one request at a time") {
  DeviceBench<QueueProxy> bench{ready_anywhere()};
  Stock one = bench.back(zmq::socket_type::req);
  Stock two = bench.back(zmq::socket_type::req);
  one.send({"\1"});
  two.send({"\1"});
  Stock client = bench.front(zmq::socket_type::dealer);
  for (const char* body : {"a", "b", "c"}) client.send({"", body});
  std::string answered;
  const auto work = [&](Stock& worker) {
    const Frames request = worker.receive();
    REQUIRE(request.size() == 3);
    worker.send({request[0], "", request[2]});
    answered += client.receive().at(1);
  };
  work(one);
  work(two);
  work(one);
  CHECK(answered.size() == 3);
  CHECK(bench.device.ledger().reconciles());
}

TEST_CASE("a ready queue reads no request while nobody is free") {
  DeviceOptions options = ready_anywhere();
  options.workers.heartbeat = 20ms;
  DeviceBench<QueueProxy> bench{options};
  Stock client = bench.front(zmq::socket_type::dealer);
  for (int i = 0; i < 10; ++i) client.send({"", std::to_string(i)});
  Stock worker = bench.back(zmq::socket_type::dealer);
  worker.send({"\1"});
  for (int i = 0; i < 10; ++i) {
    const Frames request = next_but(worker, {"\2"});
    CHECK(request.at(2) == std::to_string(i));
    const Ledger ledger = bench.device.ledger();
    CHECK(ledger.frontend.received == static_cast<std::uint64_t>(i + 1));
    CHECK(ledger.backend.held == 0);
    worker.send({request[0], "", request[2]});
    CHECK(client.receive() == Frames{"", std::to_string(i)});
  }
  CHECK(bench.device.ledger().reconciles());
}

TEST_CASE("a ready queue gives a dead worker's place to another one") {
  DeviceOptions options = ready_anywhere();
  options.workers.heartbeat = 20ms;
  DeviceBench<QueueProxy> bench{options};
  Stock dying = bench.back(zmq::socket_type::dealer);
  dying.send({"\1"});
  CHECK(next_but(dying, {}) == Frames{"\2"});
  dying.raw().close();
  CHECK(bench.ledger_shows(
      [](const Ledger& l) { return !l.peers.empty() && !l.peers.back().connected; }));
  Stock client = bench.front(zmq::socket_type::req);
  client.send({"hello"});
  Stock worker = bench.back(zmq::socket_type::dealer);
  worker.send({"\1"});
  CHECK(next_but(worker, {"\2"}).at(2) == "hello");
}

TEST_CASE("what does not fit services or a strategy is refused with the remedy") {
  Context context;
  const auto refused = [&](auto make) {
    try {
      make();
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
      CHECK_FALSE(error.remedy().empty());
      return true;
    }
    return false;
  };
  DeviceOptions two_sides = services_anywhere();
  two_sides.backend.bind = {any_port};
  CHECK(refused([&] { Services device(context, two_sides); }));
  CHECK(refused(
      [&] { Services device(context, {.frontend = {.connect = {"tcp://127.0.0.1:5555"}}}); }));
  DeviceOptions streamer = on_any_port();
  streamer.strategy = Strategy::ready;
  CHECK(refused([&] { Streamer device(context, streamer); }));
  DeviceOptions connecting = ready_anywhere();
  connecting.backend = {.connect = {"tcp://127.0.0.1:5555"}};
  CHECK(refused([&] { QueueProxy device(context, connecting); }));
  for (DeviceOptions hasty : {services_anywhere(), ready_anywhere()}) {
    hasty.workers = {.heartbeat = 1s, .expiry = 1s};
    const bool queue = hasty.strategy == Strategy::ready;
    CHECK(refused(
        [&] { Device device(context, queue ? DeviceKind::queue : DeviceKind::services, hasty); }));
  }
}

TEST_CASE("what has no effect on the kind is refused, also where it is the default") {
  Context context;
  const auto refusal = [&](DeviceKind kind, DeviceOptions options) -> std::string {
    if (kind == DeviceKind::services) options.backend = {};
    try {
      const Device device{context, kind, options};
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
      CHECK(!error.remedy().empty());
      return error.cause();
    }
    return {};
  };
  const auto with = [](DeviceOptions options, const WorkerOptions& workers) {
    options.workers = workers;
    return options;
  };
  const std::string beats = " is for services, and for queues with the strategy ready";
  for (const DeviceKind kind : {DeviceKind::forwarder, DeviceKind::streamer, DeviceKind::queue}) {
    CHECK(refusal(kind, with(on_any_port(), {.heartbeat = 1s})) == "heartbeat" + beats);
    CHECK(refusal(kind, with(on_any_port(), {.expiry = 10s})) == "expiry" + beats);
    CHECK(refusal(kind, with(on_any_port(), {.prefetch = 1})) == "prefetch is for services");
    for (const WorkerOptions& hold :
         {WorkerOptions{.hold_messages = 10'000}, {.hold_bytes = 64u << 20}, {.hold_age = 1min}}) {
      CHECK(refusal(kind, with(on_any_port(), hold)) == "hold is for services");
    }
  }
  CHECK(refusal(DeviceKind::queue, with(ready_anywhere(), {.hold_messages = 1})) ==
        "hold is for services");
  CHECK(refusal(DeviceKind::queue, with(ready_anywhere(), {.prefetch = 1})) ==
        "prefetch is for services");
  DeviceOptions ready = ready_anywhere();
  ready.overflow = Overflow::block;
  CHECK(refusal(DeviceKind::queue, ready).find("overflow is not for services") == 0);
  ready.strategy = Strategy::round_robin;
  CHECK(refusal(DeviceKind::services, ready).find("overflow is not for services") == 0);
  CHECK(refusal(DeviceKind::queue, with(ready_anywhere(), {.heartbeat = 1s})).empty());
}

TEST_CASE("a topology's check names every key that has no effect on its device") {
  const auto keys = [](const std::string& head, const std::string& rest) {
    std::string all;
    for (const Finding& finding : Topology::parse("[devices.x]\n" + head + R"(
        frontend = { bind = "inproc://a" }
        )" + rest)
                                      .findings()) {
      all += finding.place.key.substr(std::string{"devices.x."}.size()) + " " +
             std::to_string(finding.place.line) + " ";
    }
    return all;
  };
  const std::string all = R"(heartbeat = "1s"
    expiry = "10s"
    prefetch = 1
    hold = { bytes = 5 }
    overflow = "drop")";
  const std::string back = "backend = { bind = 'inproc://b' }\n";
  for (const char* kind : {"forwarder", "streamer", "queue"}) {
    CHECK(keys("kind = '" + std::string{kind} + "'", back + all) ==
          "heartbeat 5 expiry 6 prefetch 7 hold 8 ");
  }
  CHECK(keys("kind = 'queue'\nstrategy = 'ready'", back + all) == "prefetch 8 hold 9 overflow 10 ");
  CHECK(keys("kind = 'services'", all) == "overflow 8 ");
}

TEST_CASE("a topology's check names all that is wrong with the rules for workers") {
  const std::vector<Finding> found = Topology::parse(R"(
    [devices.names]
    kind = "services"
    frontend = { bind = "tcp://127.0.0.1:*" }
    prefetch = 5000
    heartbeat = "2s"
    expiry = "1s"
  )")
                                         .findings();
  REQUIRE(found.size() == 2);
  CHECK(found[0].place.key == "devices.names.prefetch");
  CHECK(found[1].place.key == "devices.names.expiry");
}

TEST_CASE("a prefetch that no worker takes is refused") {
  const Topology site = Topology::parse(R"(
    [devices.names]
    kind = "services"
    frontend = { bind = "tcp://127.0.0.1:*" }
    prefetch = 1001
  )");
  REQUIRE(site.findings().size() == 1);
  CHECK(site.findings()[0].str().find("prefetch is 0 or above 1000") != std::string::npos);
  Context context;
  CHECK_THROWS_AS(
      (Services{context,
                {.frontend = {.bind = {"tcp://127.0.0.1:*"}}, .workers = {.prefetch = 0}}}),
      Error);
}

TEST_CASE("a prefetch that a worker's queue has no room for is refused") {
  const Topology site = Topology::parse(R"(
    [devices.names]
    kind = "services"
    frontend = { bind = "tcp://127.0.0.1:*", queue = 15 }
    prefetch = 8
  )");
  REQUIRE(site.findings().size() == 1);
  CHECK(site.findings()[0].str().find("above half the frontend's queue") != std::string::npos);
  Context context;
  const auto opened = [&](int queue, std::uint32_t prefetch) {
    DeviceOptions options = services_anywhere();
    options.frontend.queue = queue;
    options.workers.prefetch = prefetch;
    try {
      const Services device{context, options};
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
      return false;
    }
    return true;
  };
  CHECK_FALSE(opened(15, 8));
  CHECK(opened(16, 8));
  CHECK(opened(0, 1000));  // without bound
  CHECK(opened(1, 1));
}

TEST_CASE("a worker that is merely slow loses nothing in the smallest queue for its prefetch") {
  DeviceOptions options = services_anywhere();
  options.frontend.queue = 20;
  options.workers = {.heartbeat = 1h, .expiry = 2h, .prefetch = 10};
  DeviceBench<Services> bench{options};
  Stock worker{bench.stock, zmq::socket_type::dealer};
  worker.raw().set(zmq::sockopt::rcvhwm, 1);
  worker.connect(bench.device.frontend().front().str());
  worker.send({"MDPW02", "\1", "echo"});
  Stock client = bench.front(zmq::socket_type::dealer);
  const std::string large(8u << 20, 'x');  // more than the system buffers
  const auto ask = [&] { client.send({"MDPC02", "\1", "echo", large}); };
  const auto given = [&] { return bench.device.ledger().requests.with_workers; };
  for (int i = 0; i < 10; ++i) ask();
  REQUIRE(eventually([&] { return given() == 10; }));
  for (int i = 0; i < 20; ++i) {
    const Frames request = worker.receive();
    REQUIRE(request.size() == 5);
    worker.send({"MDPW02", "\4", request[2], "", "done"});
    REQUIRE(client.receive().size() == 4);
    ask();
    REQUIRE(eventually([&] { return given() == 10; }));
  }
  CHECK(bench.device.ledger().requests.unanswered == 0);
}

TEST_CASE("a topology file has services and strategies") {
  const Topology site = Topology::parse(R"(
    [devices.names]
    kind = "services"
    frontend = { bind = "tcp://127.0.0.1:*" }
    heartbeat = "500ms"
    expiry = "3s"
    hold = { messages = 7, bytes = 100, age = "2s" }
    prefetch = 8
    [devices.work]
    kind = "queue"
    strategy = "ready"
    frontend = { bind = "tcp://127.0.0.1:*" }
    backend = { bind = "tcp://127.0.0.1:*" }
  )");
  CHECK(site.findings().empty());
  const WorkerOptions& rules = site.devices()[0].options.workers;
  CHECK(rules.heartbeat == 500ms);
  CHECK(rules.expiry == 3s);
  CHECK(rules.hold_messages == 7);
  CHECK(rules.hold_bytes == 100);
  CHECK(rules.hold_age == 2s);
  CHECK(rules.prefetch == 8);
  CHECK(site.devices()[1].options.strategy == Strategy::ready);
  Context context;
  RunningTopology running = site.run(context);
  CHECK(running.bound("names.frontend").size() == 1);
  CHECK(running.ledgers().size() == 2);
  CHECK(running.stop(0ms).clean);
}

TEST_CASE("a topology's check finds what does not fit services or a strategy") {
  const auto finding = [](const std::string& toml) {
    const std::vector<Finding> found = Topology::parse(toml).findings();
    return found.size() == 1 ? found[0].problem : std::to_string(found.size()) + " findings";
  };
  const std::string services = "[devices.s]\nkind = 'services'\n";
  const std::string bound = "frontend = { bind = 'inproc://a' }\n";
  const std::string back = "backend = { bind = 'inproc://b' }\n";
  CHECK(finding(services + bound + back) == "clients and workers share its frontend");
  CHECK(finding(services + "frontend = { connect = 'inproc://a' }") ==
        "clients and workers connect to it");
  CHECK(finding(services) == "nothing can reach it: no endpoint and no link");
  CHECK(finding(services + bound + "stages = ['sample 2']") == "services have no stages");
  const std::string hasty = "expiry is not above heartbeat: workers would be lost all the time";
  CHECK(finding(services + bound + "expiry = '500ms'") == hasty);
  CHECK(finding(services + bound + "heartbeat = '10s'") == hasty);
  CHECK(finding(services + bound + "heartbeat = '0s'") == "heartbeat is below 1 ms");
  CHECK(finding("[devices.x]\nkind = 'queue'\nstrategy = 'ready'\nexpiry = '1s'\n" + bound +
                back) == hasty);
  const auto place = [&](const std::string& toml) {
    const Place found = Topology::parse(services + bound + toml).findings().at(0).place;
    return found.key + " in line " + std::to_string(found.line);
  };
  CHECK(place("drain-timeout = '2s'\nexpiry = '500ms'") == "devices.s.expiry in line 5");
  CHECK(place("heartbeat = '10s'") == "devices.s.heartbeat in line 4");
  CHECK(finding("[devices.x]\nkind = 'streamer'\nstrategy = 'ready'\n" + bound + back) ==
        "a strategy is for queues");
  CHECK(finding("[devices.x]\nkind = 'queue'\nstrategy = 'ready'\n" + bound +
                "[devices.y]\nkind = 'queue'\n" + back +
                "[[links]]\nfrom = 'x.backend'\nto = 'y.frontend'") ==
        "x.backend is for workers, or for clients, and not for devices");
}

TEST_CASE("a queue hands on to one with the strategy ready") {
  Topology site{"site"};
  site.add("edge", DeviceKind::queue, {.frontend = {.bind = {any_port}}});
  site.add("core", DeviceKind::queue,
           {.backend = {.bind = {any_port}}, .strategy = Strategy::ready});
  site.link("edge.backend", "core.frontend");
  Context context;
  RunningTopology running = site.run(context);
  zmq::context_t stock;
  Stock worker(stock, zmq::socket_type::req);
  worker.connect(running.bound("core.backend").front().str());
  worker.send({"\1"});
  Stock client(stock, zmq::socket_type::req);
  client.connect(running.bound("edge.frontend").front().str());
  client.send({"hello"});
  Frames request = worker.receive();
  REQUIRE(request.size() > 3);
  request.back() = "olleh";
  worker.send(request);
  CHECK(client.receive() == Frames{"olleh"});
}

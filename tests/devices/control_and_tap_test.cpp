#include "support/device_bench.hpp"

#include <doctest/doctest.h>

#include <busbar/core/error.hpp>
#include <busbar/core/tap_header.hpp>
#include <busbar/devices/control_client.hpp>

using namespace busbar;
using namespace busbar::testing;
using namespace std::chrono_literals;
using Frames = std::vector<std::string>;

namespace {

DeviceOptions watched() {
  DeviceOptions options = on_any_port();
  options.name = "desk";
  options.control = any_port;
  options.tap = any_port;
  return options;
}

struct Watched : DeviceBench<Streamer> {
  Watched() : DeviceBench(watched()) {}
  std::vector<Ledger> ask(control::Command command) {
    return ask_control(context, *device.control(), {.command = command}, soon);
  }
};

}  // namespace

TEST_CASE("a control endpoint shows the ledger, pauses and resumes") {
  Watched bench;
  const std::vector<Ledger> ledgers = bench.ask(control::Command::status);
  REQUIRE(ledgers.size() == 1);
  CHECK(ledgers[0].name == "desk");
  CHECK(ledgers[0].kind == "streamer");
  CHECK(ledgers[0].state == "running");
  CHECK(bench.ask(control::Command::pause).at(0).state == "paused");
  CHECK(bench.ask(control::Command::resume).at(0).state == "running");
}

TEST_CASE("stop is answered with the final ledger") {
  Watched bench;
  Stock source = bench.front(zmq::socket_type::push);
  source.send({"left behind"});
  CHECK(bench.ledger_shows([](const Ledger& l) { return l.backend.held == 1; }));
  const std::vector<Ledger> ledgers = bench.ask(control::Command::stop);
  CHECK(ledgers.at(0).state == "stopped");
  CHECK(ledgers.at(0).frontend[Cause::abandoned] == 1);
  CHECK(ledgers.at(0).reconciles());
  CHECK(bench.running.wait(soon));
}

TEST_CASE("control is served while the device is blocked, and while it is flooded") {
  Watched bench;
  Stock source = bench.front(zmq::socket_type::push);
  SUBCASE("blocked") {
    source.send({"work"});
    CHECK(bench.ledger_shows([](const Ledger& l) { return l.backend.held == 1; }));
  }
  SUBCASE("flooded") {
    Stock sink = bench.back(zmq::socket_type::pull);
    for (int i = 0; i < 20'000; ++i) {
      source.send({"work"});
      zmq::message_t taken;
      while (sink.raw().recv(taken, zmq::recv_flags::dontwait)) {
      }
    }
  }
  const auto start = std::chrono::steady_clock::now();
  CHECK(bench.ask(control::Command::status).size() == 1);
  CHECK(std::chrono::steady_clock::now() - start < 1s);
}

TEST_CASE("garbage on a control endpoint is answered with what is wrong, and changes nothing") {
  Watched bench;
  Stock hostile = bench.at(zmq::socket_type::dealer, *bench.device.control());
  const std::vector<Frames> garbage{{"hello"},
                                    {""},
                                    {"", "", ""},
                                    {"BUSBAR-CTL/1", "explode", ""},
                                    {"BUSBAR-CTL/2", "stop", ""},
                                    {"BUSBAR-CTL/1", "drain", "-5"},
                                    {"BUSBAR-CTL/1", "drain", "99999999999999999999"},
                                    {"BUSBAR-CTL/1", "stop", "1"},
                                    Frames(60, "stop")};
  for (const Frames& frames : garbage) {
    hostile.send(frames);
    const Frames reply = hostile.receive();
    // The envelope's empty frame comes back with the reply.
    REQUIRE(reply.size() >= 3);
    CHECK(reply[reply.size() - 2][0] == '4');
    CHECK_FALSE(reply.back().empty());
  }
  CHECK(bench.ask(control::Command::status).at(0).state == "running");
}

TEST_CASE("a tap shows each message with its device, direction and time") {
  Watched bench;
  Stock watcher = bench.at(zmq::socket_type::sub, *bench.device.tap());
  watcher.subscribe("desk.forward");
  watcher.raw().set(zmq::sockopt::rcvtimeo, 20);
  Stock source = bench.front(zmq::socket_type::push);
  Stock sink = bench.back(zmq::socket_type::pull);
  Frames seen;
  // When the tap has the subscription is not to be seen from outside, so send until it has.
  CHECK(eventually([&] {
    source.send({"work", "payload"});
    CHECK(sink.receive() == Frames{"work", "payload"});
    seen = watcher.receive();
    return !seen.empty();
  }));
  REQUIRE(seen.size() == 4);
  CHECK(seen[0] == "desk.forward");
  const auto header = unpack<TapHeader>(seen[1]);
  CHECK(header.device == "desk");
  CHECK(header.direction == "forward");
  CHECK(header.time > 0);
  CHECK(seen[2] == "work");
  CHECK(seen[3] == "payload");
}

TEST_CASE("a tap's watcher that does not read never slows the device") {
  Watched bench;
  Stock watcher(bench.stock, zmq::socket_type::sub);
  watcher.raw().set(zmq::sockopt::rcvhwm, 1);
  watcher.connect(bench.device.tap()->str()).subscribe("");
  Stock source = bench.front(zmq::socket_type::push);
  Stock sink = bench.back(zmq::socket_type::pull);
  const std::string payload(10'000, 'x');
  for (int i = 0; i < 20'000; ++i) {
    REQUIRE(source.send({payload}));
    REQUIRE(sink.receive().size() == 1);
  }
  CHECK(bench.device.ledger().backend.sent == 20'000);
  CHECK(bench.device.ledger().reconciles());
}

TEST_CASE("a ledger with very many peers is answered as well") {
  Watched bench;
  std::vector<Stock> sources;
  for (int i = 0; i < 100; ++i) sources.push_back(bench.front(zmq::socket_type::push));
  CHECK(bench.ledger_shows([](const Ledger& l) { return l.peers.size() == 100; }));
  CHECK(bench.ask(control::Command::status).at(0).peers.size() == 100);
}

#include "support/folder.hpp"
#include "support/site.hpp"

#include <fstream>
#include <thread>

#include <doctest/doctest.h>

#include <busbar/devices/control_client.hpp>

using namespace busbar;
using namespace busbar::testing;
using namespace std::chrono_literals;

TEST_CASE("devices that are linked in a row are one chain, and each keeps its books") {
  Site site;
  Topology row{"row"};
  row.add("b", DeviceKind::streamer, inner());
  row.add("a", DeviceKind::streamer, first());
  row.add("c", DeviceKind::streamer, last());
  row.link("a.backend", "b.frontend").link("b.backend", "c.frontend");
  RunningTopology running = site.run(row);

  Stock source = site.at(running, "a.frontend", zmq::socket_type::push);
  Stock worker = site.at(running, "c.backend", zmq::socket_type::pull);
  source.send({"one"});
  CHECK(worker.receive() == Frames{"one"});

  const std::vector<Ledger> ledgers = running.ledgers();
  REQUIRE(ledgers.size() == 3);
  CHECK(ledgers[0].name == "b");
  CHECK(ledgers[1].name == "a");
  CHECK(ledgers[2].name == "c");
  for (const Ledger& ledger : ledgers) CHECK(ledger.frontend.received == 1);
  CHECK(running.bound("a.backend").empty());
  CHECK(running.bound("b.frontend").empty());
  CHECK(running.bound("c.backend").size() == 1);
}

TEST_CASE("one device feeds several, and several feed one") {
  Site site;
  Topology net{"net"};
  net.add("in", DeviceKind::forwarder, first());
  net.add("left", DeviceKind::forwarder, both());
  net.add("right", DeviceKind::forwarder, inner());
  net.add("out", DeviceKind::forwarder, last());
  net.link("in.backend", "left.frontend").link("in.backend", "right.frontend");
  net.link("right.backend", "out.frontend").link("left.backend", "out.frontend");
  RunningTopology running = site.run(net);
  Stock publisher = site.at(running, "in.frontend", zmq::socket_type::pub);
  Stock left = site.at(running, "left.backend", zmq::socket_type::sub);
  left.subscribe("eur");
  CHECK(send_until_received(publisher, left, {"eur", "1"}) == Frames{"eur", "1"});
  Stock out = site.at(running, "out.backend", zmq::socket_type::sub);
  out.subscribe("usd");
  CHECK(send_until_received(publisher, out, {"usd", "2"}) == Frames{"usd", "2"});
  CHECK(running.bound("left.backend").size() == 1);
  CHECK(running.bound("in.backend").empty());
}

TEST_CASE("requests and replies pass linked queue proxies") {
  Site site;
  Topology net{"net"};
  net.add("a", DeviceKind::queue, first()).add("b", DeviceKind::queue, first());
  net.add("work", DeviceKind::queue, last());
  net.link("a.backend", "work.frontend").link("b.backend", "work.frontend");
  RunningTopology running = site.run(net);
  Stock client = site.at(running, "b.frontend", zmq::socket_type::req);
  Stock worker = site.at(running, "work.backend", zmq::socket_type::rep);
  client.send({"question"});
  CHECK(worker.receive() == Frames{"question"});
  worker.send({"answer"});
  CHECK(client.receive() == Frames{"answer"});
}

TEST_CASE("a link that is cut joins two processes, whichever starts first") {
  const Folder folder;
  const Endpoint over{"ipc://" + folder.path("link")};
  Topology net{"net"};
  net.add("edge", DeviceKind::streamer, first()).add("core", DeviceKind::streamer, last());
  net.link("edge.backend", "core.frontend", over);
  for (const auto& [one, other] : {std::pair{"edge", "core"}, std::pair{"core", "edge"}}) {
    Site site;
    Context elsewhere;
    RunningTopology here = site.run(net.only({one}));
    RunningTopology there = net.only({other}).run(elsewhere);
    const bool edge_here = std::string{one} == "edge";
    Stock source = site.at(edge_here ? here : there, "edge.frontend", zmq::socket_type::push);
    Stock worker = site.at(edge_here ? there : here, "core.backend", zmq::socket_type::pull);
    source.send({"across"});
    CHECK(worker.receive() == Frames{"across"});
  }
}

TEST_CASE("devices that are bound with keys are linked within the process all the same") {
  Site site;
  DeviceOptions keyed = both();
  const CurveKeys keys = CurveKeys::create();
  const auto allow = std::make_shared<AllowList>(std::vector{CurveKeys::create().public_key});
  keyed.frontend.security = keyed.backend.security = {.keys = keys, .allow = allow};
  DeviceOptions edge = keyed;
  edge.frontend.security = {};
  DeviceOptions core = keyed;
  core.backend.security = {};
  Topology net{"net"};
  net.add("edge", DeviceKind::streamer, edge).add("core", DeviceKind::streamer, core);
  net.link("edge.backend", "core.frontend");
  RunningTopology running = site.run(net);
  Stock source = site.at(running, "edge.frontend", zmq::socket_type::push);
  Stock worker = site.at(running, "core.backend", zmq::socket_type::pull);
  source.send({"1"});
  CHECK(worker.receive() == Frames{"1"});
}

TEST_CASE("a bound path has the permissions that its side was given") {
  Site site;
  const Folder folder;
  const Topology net = Topology::parse(
      "[devices.x]\nkind = 'queue'\nbackend.bind = 'tcp://127.0.0.1:*'\n"
      "frontend = { bind = 'ipc://" +
      folder.path("x") + "', ipc-mode = '0620' }");
  RunningTopology running = site.run(net);
  CHECK(std::filesystem::status(folder.path("x")).permissions() == std::filesystem::perms{0620});
}

TEST_CASE("two topologies of the same names run side by side in one process") {
  Site site;
  Topology net{"net"};
  net.add("a", DeviceKind::streamer, both()).add("b", DeviceKind::streamer, both());
  net.link("a.backend", "b.frontend");
  RunningTopology one = site.run(net);
  RunningTopology other = site.run(net);
  CHECK(one.bound("a.frontend") != other.bound("a.frontend"));
}

TEST_CASE("a topology that does not pass its check is not run") {
  Site site;
  const Error error =
      error_of([&] { (void)site.run(Topology{}.add("x", DeviceKind::queue, inner())); });
  CHECK(error.kind() == ErrorKind::usage);
}

TEST_CASE("where one device cannot start, none is left running") {
  Site site;
  RunningTopology taken = site.run(Topology{}.add("x", DeviceKind::queue, both()));
  const Folder folder;
  const Endpoint ours{"ipc://" + folder.path("ours")};
  Topology net{"net"};
  net.add("good", DeviceKind::queue, sides({ours}, {any_port}));
  net.add("bad", DeviceKind::queue, sides(taken.bound("x.frontend"), {any_port}));
  const Error error = error_of([&] { (void)site.run(net); });
  CHECK(error.kind() == ErrorKind::unreachable);
  CHECK(error.operation().starts_with("start 'bad': bind tcp://127.0.0.1:"));
  CHECK(eventually([&] {
    try {
      (void)site.run(Topology{}.add("again", DeviceKind::queue, sides({ours}, {any_port})));
      return true;
    } catch (const Error&) {
      return false;
    }
  }));
}

TEST_CASE("bound answers for every side, control and tap, and refuses what is none") {
  Site site;
  DeviceOptions options = both();
  options.control = any_port;
  options.tap = any_port;
  RunningTopology running = site.run(Topology{}.add("x", DeviceKind::streamer, options));
  for (const char* side : {"x.frontend", "x.backend", "x.control", "x.tap"}) {
    REQUIRE(running.bound(side).size() == 1);
    CHECK(running.bound(side)[0].port() != 0);
  }
  for (const char* side : {"x", "y.frontend", "x.side", "", "x.frontend.bind"}) {
    CHECK_THROWS_AS((void)running.bound(side), Error);
  }
}

TEST_CASE("a drain hands on all that is inside, and then no device is left") {
  constexpr int count = 500;
  Site site;
  Topology net{"net"};
  net.add("a", DeviceKind::streamer, first()).add("b", DeviceKind::streamer, first());
  net.add("out", DeviceKind::streamer, last());
  net.link("a.backend", "out.frontend").link("b.backend", "out.frontend");
  RunningTopology running = site.run(net);
  Stock worker = site.at(running, "out.backend", zmq::socket_type::pull);
  Stock source = site.at(running, "a.frontend", zmq::socket_type::push);
  Stock other = site.at(running, "b.frontend", zmq::socket_type::push);
  for (int i = 0; i < count; ++i) {
    source.send({"a"});
    other.send({"b"});
  }
  CHECK(eventually([&] { return received(running, "a") + received(running, "b") > 0; }));
  const StopReport report = running.drain(soon);
  CHECK(report.clean);
  CHECK(report.abandoned == 0);
  const std::vector<Ledger> ledgers = running.ledgers();
  CHECK(ledger_of(ledgers, "out").frontend.received ==
        ledgers[0].backend.sent + ledgers[1].backend.sent);
  const std::uint64_t sent = ledger_of(ledgers, "out").backend.sent;
  CHECK(sent == ledger_of(ledgers, "out").frontend.received);
  for (std::uint64_t i = 0; i < sent; ++i) REQUIRE_FALSE(worker.receive().empty());
  for (const Ledger& ledger : ledgers) {
    CHECK(ledger.state == "stopped");
    CHECK(ledger.reconciles());
  }
  CHECK(running.wait(0ms));
}

TEST_CASE("a stop ends a drain that waits for somebody to take the rest") {
  Site site;
  RunningTopology running = site.run(Topology{}.add("x", DeviceKind::streamer, both()));
  Stock source = site.at(running, "x.frontend", zmq::socket_type::push);
  source.send({"nobody takes it"});
  CHECK(eventually([&] { return received(running, "x") == 1; }));
  StopReport drained;
  std::jthread draining{[&] { drained = running.drain(1h); }};
  CHECK(eventually([&] { return running.ledgers()[0].state == "draining"; }));
  CHECK_FALSE(running.wait(0ms));
  const StopReport report = running.stop(0ms);
  draining.join();
  CHECK_FALSE(report.clean);
  CHECK(report.abandoned == 1);
  CHECK(running.wait(soon));
}

TEST_CASE("a stop ends all devices, which then answer for what they did") {
  Site site;
  Topology net{"net"};
  net.add("a", DeviceKind::streamer, first()).add("b", DeviceKind::streamer, last());
  net.add("c", DeviceKind::forwarder, both());
  net.link("a.backend", "b.frontend");
  RunningTopology running = site.run(net);
  CHECK_FALSE(running.wait(0ms));
  CHECK(running.stop(soon).clean);
  CHECK(running.wait(soon));
  for (const Ledger& ledger : running.ledgers()) CHECK(ledger.state == "stopped");
  CHECK(running.stop(0ms).clean);
  CHECK(error_of([&] { running.reload(net); }).cause() == "the topology was ended");
}

TEST_CASE("a topology has ended when control endpoints have ended all of its devices") {
  Site site;
  DeviceOptions options = both();
  options.control = any_port;
  Topology net{"net"};
  net.add("x", DeviceKind::streamer, options).add("y", DeviceKind::queue, options);
  RunningTopology running = site.run(net);
  const auto ask = [&](std::string_view control, control::Command command) {
    return ask_control(site.context, running.bound(control).front(), {.command = command}, soon);
  };
  CHECK(ask("x.control", control::Command::status).at(0).name == "x");
  CHECK(ask("x.control", control::Command::pause).at(0).state == "paused");
  CHECK(ask("x.control", control::Command::stop).at(0).state == "stopped");
  CHECK_FALSE(running.wait(0ms));
  CHECK(ask("y.control", control::Command::drain).at(0).state == "stopped");
  CHECK(running.wait(soon));
}

TEST_CASE("who asks what is no control endpoint is told so in time") {
  Site site;
  RunningTopology running = site.run(Topology{}.add("x", DeviceKind::queue, both()));
  const auto ask = [&](const Endpoint& endpoint, const control::Request& request) {
    return error_of([&] { (void)ask_control(site.context, endpoint, request, 100ms); });
  };
  CHECK(ask(running.bound("x.frontend").front(), {}).kind() == ErrorKind::timeout);
  CHECK(ask("inproc://nobody", {}).kind() == ErrorKind::timeout);
  CHECK(ask("tcp://127.0.0.1:*", {}).kind() == ErrorKind::usage);
}

TEST_CASE("neighbours with policies of their own keep them") {
  Site site;
  DeviceOptions dropping = first();
  dropping.overflow = Overflow::drop;
  dropping.backend.queue = 1;
  DeviceOptions blocking = last();
  blocking.overflow = Overflow::block;
  blocking.frontend.queue = 1;
  Topology row{"row"};
  row.add("a", DeviceKind::streamer, dropping).add("b", DeviceKind::streamer, blocking);
  row.link("a.backend", "b.frontend");
  RunningTopology running = site.run(row);
  Stock source = site.at(running, "a.frontend", zmq::socket_type::push);
  for (int i = 0; i < 100; ++i) source.send({"nobody takes this"});
  CHECK(eventually([&] {
    return ledger_of(running.ledgers(), "a").backend[Cause::overflow] > 0 &&
           ledger_of(running.ledgers(), "b").backend.held == 1;
  }));
}

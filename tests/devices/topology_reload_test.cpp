#include "support/folder.hpp"
#include "support/site.hpp"

#include <fstream>
#include <thread>

#include <doctest/doctest.h>

#include <busbar/devices/control_client.hpp>

using namespace busbar;
using namespace busbar::testing;
using namespace std::chrono_literals;

TEST_CASE("a reload leaves a device alone that did not change") {
  Site site;
  DeviceOptions filtered = both();
  filtered.stages = {sample(2)};
  Topology before{"site"};
  before.add("kept", DeviceKind::streamer, both()).add("changed", DeviceKind::streamer, both());
  before.add("gone", DeviceKind::streamer, both());
  RunningTopology running = site.run(before);
  const auto kept_at = running.bound("kept.frontend");
  Stock source = site.at(running, "kept.frontend", zmq::socket_type::push);
  Stock worker = site.at(running, "kept.backend", zmq::socket_type::pull);
  source.send({"1"});
  CHECK(worker.receive() == Frames{"1"});

  Topology after{"site"};
  after.add("fresh", DeviceKind::queue, both()).add("changed", DeviceKind::streamer, filtered);
  after.add("kept", DeviceKind::streamer, both());
  running.reload(after);
  source.send({"2"});
  CHECK(worker.receive() == Frames{"2"});
  CHECK(running.bound("kept.frontend") == kept_at);
  CHECK(received(running, "kept") == 2);
  CHECK_THROWS_AS((void)running.bound("gone.frontend"), Error);
  const std::vector<Ledger> ledgers = running.ledgers();
  REQUIRE(ledgers.size() == 3);
  CHECK(ledgers[0].name == "fresh");
  CHECK(ledgers[1].name == "changed");
  CHECK(ledgers[2].name == "kept");

  Stock filtered_source = site.at(running, "changed.frontend", zmq::socket_type::push);
  Stock filtered_worker = site.at(running, "changed.backend", zmq::socket_type::pull);
  for (const char* number : {"1", "2", "3"}) filtered_source.send({number});
  CHECK(filtered_worker.receive() == Frames{"1"});
  CHECK(filtered_worker.receive() == Frames{"3"});
}

TEST_CASE("a changed device takes over the addresses of the old one") {
  Site site;
  RunningTopology running = site.run(Topology{}.add("x", DeviceKind::streamer, both()));
  const auto front = running.bound("x.frontend");
  const auto back = running.bound("x.backend");
  Stock source = site.at(running, "x.frontend", zmq::socket_type::push);
  // More than once: an old connection that was still open took one message in some fifty.
  for (std::size_t round = 1; round <= 10; ++round) {
    DeviceOptions changed = sides(front, back);
    changed.stages.assign(round, sample(1));
    running.reload(Topology{}.add("x", DeviceKind::streamer, changed));
    CHECK(running.bound("x.frontend") == front);
    source.send({"once"});
    Stock worker = site.at(running, "x.backend", zmq::socket_type::pull);
    CHECK(worker.receive() == Frames{"once"});
  }
}

TEST_CASE("devices behind a changed one are joined to the new one") {
  Site site;
  const auto net = [](DeviceOptions in) {
    Topology topology{"net"};
    topology.add("in", DeviceKind::streamer, std::move(in));
    topology.add("one", DeviceKind::streamer, last()).add("two", DeviceKind::streamer, last());
    topology.link("in.backend", "one.frontend").link("in.backend", "two.frontend");
    return topology;
  };
  RunningTopology running = site.run(net(first()));
  DeviceOptions changed = first();
  changed.stages = {sample(1)};
  running.reload(net(changed));
  Stock source = site.at(running, "in.frontend", zmq::socket_type::push);
  Stock one = site.at(running, "one.backend", zmq::socket_type::pull);
  Stock two = site.at(running, "two.backend", zmq::socket_type::pull);
  source.send({"1"});
  source.send({"2"});
  CHECK_FALSE(one.receive().empty());
  CHECK_FALSE(two.receive().empty());
}

TEST_CASE("a reload that does not pass its check changes nothing") {
  Site site;
  RunningTopology running = site.run(Topology{}.add("x", DeviceKind::streamer, both()));
  const auto front = running.bound("x.frontend");
  CHECK_THROWS_AS(running.reload(Topology{}), Error);
  CHECK(running.bound("x.frontend") == front);
  Stock source = site.at(running, "x.frontend", zmq::socket_type::push);
  Stock worker = site.at(running, "x.backend", zmq::socket_type::pull);
  source.send({"1"});
  CHECK(worker.receive() == Frames{"1"});
}

TEST_CASE("a reload that cannot start a new device leaves the old ones undisturbed") {
  Site site;
  RunningTopology other = site.run(Topology{}.add("other", DeviceKind::streamer, both()));
  RunningTopology running = site.run(Topology{}.add("x", DeviceKind::streamer, both()));
  Stock source = site.at(running, "x.frontend", zmq::socket_type::push);
  Stock worker = site.at(running, "x.backend", zmq::socket_type::pull);
  source.send({"1"});
  CHECK(worker.receive() == Frames{"1"});

  Topology next;
  next.add("bad", DeviceKind::streamer, sides(other.bound("other.frontend"), {any_port}));
  const Error error = error_of([&] { running.reload(next); });
  CHECK(error.kind() == ErrorKind::unreachable);
  source.send({"2"});
  CHECK(worker.receive() == Frames{"2"});
  CHECK(received(running, "x") == 2);
}

TEST_CASE("a reload that fails half way starts the old devices again, where they were") {
  Site site;
  RunningTopology other = site.run(Topology{}.add("other", DeviceKind::streamer, both()));
  RunningTopology running = site.run(Topology{}.add("x", DeviceKind::streamer, both()));
  const auto front = running.bound("x.frontend");
  const auto back = running.bound("x.backend");
  Topology next;
  next.add("x", DeviceKind::streamer, sides(front, other.bound("other.frontend")));
  CHECK_THROWS_AS(running.reload(next), Error);
  CHECK(running.bound("x.frontend") == front);
  CHECK(running.bound("x.backend") == back);
  Stock source = site.at(front.front(), zmq::socket_type::push);
  Stock worker = site.at(back.front(), zmq::socket_type::pull);
  source.send({"1"});
  CHECK(worker.receive() == Frames{"1"});
  // And what ran before the failure is still known as unchanged.
  running.reload(Topology{}.add("x", DeviceKind::streamer, both()));
  CHECK(running.bound("x.frontend") == front);
  CHECK(received(running, "x") == 1);
}

TEST_CASE("a reload reads the allow-lists again, and the device goes on") {
  Site site;
  const Folder folder;
  const CurveKeys server = CurveKeys::create();
  const CurveKeys client = CurveKeys::create();
  server.save(folder.path("server.key"));
  std::ofstream{folder.path("allow")} << CurveKeys::create().public_key << "\n";
  std::ofstream{folder.path("site.toml")}
      << "[devices.x]\nkind = 'streamer'\nfrontend.bind = 'tcp://127.0.0.1:*'\n"
         "[devices.x.backend]\nbind = 'tcp://127.0.0.1:*'\nkey = 'server.key'\nallow = 'allow'\n";
  RunningTopology running = site.run(Topology::load(folder.path("site.toml")));
  const Endpoint back = running.bound("x.backend").front();
  Stock source = site.at(running, "x.frontend", zmq::socket_type::push);

  std::ofstream{folder.path("allow"), std::ios::app} << client.public_key << " a new worker\n";
  running.reload(Topology::load(folder.path("site.toml")));
  CHECK(running.bound("x.backend").front() == back);
  Stock worker{site.stock, zmq::socket_type::pull};
  worker.raw().set(zmq::sockopt::curve_publickey, client.public_key);
  worker.raw().set(zmq::sockopt::curve_secretkey, client.secret_key);
  worker.raw().set(zmq::sockopt::curve_serverkey, server.public_key);
  worker.connect(back.str());
  source.send({"1"});
  CHECK(worker.receive() == Frames{"1"});
}

TEST_CASE("a reload starts a device again that was ended by its control endpoint") {
  Site site;
  DeviceOptions options = both();
  options.control = any_port;
  const Topology net = Topology{}.add("x", DeviceKind::streamer, options);
  RunningTopology running = site.run(net);
  (void)ask_control(site.context, running.bound("x.control").front(),
                    {.command = control::Command::stop}, soon);
  CHECK(running.wait(soon));
  running.reload(net);
  CHECK(running.ledgers()[0].state == "running");
}

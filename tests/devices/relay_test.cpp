#include "support/device_bench.hpp"

#include <doctest/doctest.h>

#include <busbar/core/socket.hpp>
#include <busbar/devices/internal/relay.hpp>
#include <busbar/devices/internal/topic_table.hpp>

using namespace busbar;
using namespace busbar::detail;
using namespace busbar::testing;
using namespace std::chrono_literals;
using Frames = std::vector<std::string>;

TEST_CASE("forwarders in a row pass messages on in memory, each with its own stages and ledger") {
  Context context;
  auto relay = Relay::create(
      context, DeviceKind::forwarder,
      {{.name = "edge",
        .frontend = {.bind = {any_port}},
        .stages = {busbar::rename("prices", "fx")}},
       {.name = "core", .backend = {.bind = {any_port}}, .stages = {only("fx.eur")}}});
  Runner runner(relay);
  zmq::context_t stock;
  Stock subscriber(stock, zmq::socket_type::sub);
  subscriber.connect(relay->backend().front().str()).subscribe("fx");
  Stock publisher(stock, zmq::socket_type::xpub);
  publisher.connect(relay->frontend().front().str());
  // The subscription to `fx` asks the publishers for both names.
  const Frames asked{publisher.receive().at(0), publisher.receive().at(0)};
  CHECK(std::count(asked.begin(), asked.end(), "\1prices") == 1);
  CHECK(std::count(asked.begin(), asked.end(), "\1fx") == 1);

  publisher.send({"prices.usd", "1"});
  publisher.send({"prices.eur", "2"});
  CHECK(subscriber.receive() == Frames{"fx.eur", "2"});
  const std::vector<Ledger> ledgers = relay->ledgers();
  REQUIRE(ledgers.size() == 2);
  CHECK(ledgers[0].frontend.received == 2);
  CHECK(ledgers[0].backend.sent == 2);
  CHECK(ledgers[1].frontend.received == 2);
  CHECK(ledgers[1].frontend[Cause::topic_filter] == 1);
  CHECK(ledgers[1].backend.sent == 1);
  CHECK(ledgers[0].reconciles());
  CHECK(ledgers[1].reconciles());
}

TEST_CASE("queue proxies in a row carry replies back, booked by each of them") {
  Context context;
  auto relay = Relay::create(context, DeviceKind::queue,
                             {{.name = "outer", .frontend = {.bind = {any_port}}},
                              {.name = "inner", .backend = {.bind = {any_port}}}});
  Runner runner(relay);
  zmq::context_t stock;
  Stock worker(stock, zmq::socket_type::rep);
  worker.connect(relay->backend().front().str());
  Stock client(stock, zmq::socket_type::req);
  client.connect(relay->frontend().front().str());
  client.send({"ping"});
  CHECK(worker.receive() == Frames{"ping"});
  worker.send({"pong"});
  CHECK(client.receive() == Frames{"pong"});
  for (const Ledger& ledger : relay->ledgers()) {
    CHECK(ledger.frontend.received == 1);
    CHECK(ledger.backend.received == 1);
    CHECK(ledger.frontend.sent == 1);
    CHECK(ledger.reconciles());
  }
}

TEST_CASE("a relay is drained when nothing has come for a while") {
  RelayState state;
  const TimePoint start{1h};
  state.drain(start, 5s, 1000);
  state.after_round({.read = 1}, start + 20ms);
  state.after_round({}, start + 40ms);
  CHECK(state.phase() == Phase::draining);
  CHECK(state.next_deadline() == start + 50ms);
  state.after_round({}, start + 50ms);
  CHECK(state.phase() == Phase::stopped);
}

TEST_CASE("a drain waits for what is held and for replies that are due, up to its deadline") {
  RelayState state;
  const TimePoint start{1h};
  state.drain(start, 5s, 1000);
  state.after_round({.holds = true}, start + 1s);
  CHECK(state.phase() == Phase::draining);
  state.after_round({.replies_due = 1}, start + 2s);
  CHECK(state.phase() == Phase::draining);
  state.after_round({.holds = true}, start + 5s);
  CHECK(state.phase() == Phase::stopped);
}

TEST_CASE("a drain under a flood ends when all that was queued before it has passed") {
  RelayState state;
  const TimePoint start{1h};
  state.drain(start, 1h, 2000);
  state.after_round({.read = 1000}, start + 1ms);
  CHECK(state.phase() == Phase::draining);
  state.after_round({.read = 1000}, start + 2ms);
  CHECK(state.phase() == Phase::stopped);
}

TEST_CASE("an earlier deadline shortens a drain, a later one does not lengthen it") {
  RelayState state;
  const TimePoint start{1h};
  state.drain(start, 5s, 1000);
  state.drain(start, 1s, 1000);
  state.drain(start, 9s, 1000);
  state.after_round({.read = 1, .holds = true}, start + 1s);
  CHECK(state.phase() == Phase::stopped);
}

TEST_CASE("the busiest topics are exact among few, and stay among very many") {
  TopicTable table;
  for (int i = 0; i < 1000; ++i) table.count("busy", 1, 10);
  table.count("quiet", 1, 1);
  CHECK(table.busiest(1).at(0).topic == "busy");
  CHECK(table.busiest(1).at(0).messages == 1000);
  CHECK(table.busiest(1).at(0).bytes == 10'000);
  CHECK(table.busiest(20).size() == 2);
  table.count(std::string(limits::topic_bytes + 1, 'x'), 1, 1);  // a payload without a topic
  CHECK(table.busiest(20).size() == 2);
  for (int i = 0; i < 100'000; ++i) table.count("rare." + std::to_string(i), 1, 1);
  CHECK(table.busiest(1).at(0).topic == "busy");
  CHECK(table.busiest(1).at(0).messages == 1000);
  CHECK(table.busiest(1'000'000).size() <= TopicTable::capacity);
}

TEST_CASE(
    "a drain that waits for something else than messages does not ask for another look at once") {
  RelayState state;
  const TimePoint start{1h};
  state.drain(start, 5s, 1000);
  state.after_round({.holds = true}, start + 1s);
  CHECK(state.next_deadline() == start + 5s);
}

TEST_CASE("where the backlog cannot be known, only quiet or the deadline end a drain") {
  RelayState state;
  const TimePoint start{1h};
  state.drain(start, 5s, std::nullopt);
  for (int i = 1; i < 100; ++i) state.after_round({.read = 1000}, start + i * 10ms);
  CHECK(state.phase() == Phase::draining);
  state.after_round({}, start + 2s);
  CHECK(state.phase() == Phase::stopped);
}

TEST_CASE("a message that a stopped chain still held is charged to the device that held it") {
  Context context;
  auto relay = Relay::create(context, DeviceKind::streamer,
                             {{.name = "first", .frontend = {.bind = {any_port}}},
                              {.name = "last", .backend = {.bind = {any_port}}}});
  Runner runner(relay);
  zmq::context_t stock;
  Stock source(stock, zmq::socket_type::push);
  source.connect(relay->frontend().front().str());
  source.send({"nobody takes this"});
  CHECK(eventually([&] { return relay->ledgers()[1].backend.held == 1; }));
  CHECK(runner.stop(0ms).abandoned == 1);
  for (const Ledger& ledger : relay->ledgers()) CHECK(ledger.reconciles());
  CHECK(relay->ledgers()[1].frontend[Cause::abandoned] == 1);
}

TEST_CASE("a drain hands on all that inproc senders had queued, beyond the device's own bound") {
  Context context;
  auto relay = Relay::create(context, DeviceKind::streamer,
                             {{.frontend = {.bind = {"inproc://in"}, .queue = 10},
                               .backend = {.bind = {any_port}, .queue = 0}}});
  std::vector<Socket> senders;
  for (int i = 0; i < 4; ++i) {
    senders.emplace_back(context, SocketType::push,
                         SocketOptions{.connect = {"inproc://in"}, .send_queue = 100});
    for (int j = 0; j < 100; ++j) CHECK(senders.back().send(Multipart{"x"}) == SendResult::sent);
  }
  zmq::context_t stock;
  Stock sink(stock, zmq::socket_type::pull);
  sink.raw().set(zmq::sockopt::rcvhwm, 0);
  sink.connect(relay->backend().front().str());
  Runner runner(relay);
  const StopReport report = runner.stop(10s);
  CHECK(report.abandoned == 0);
  for (int i = 0; i < 400; ++i) CHECK(sink.receive().size() == 1);
}

TEST_CASE("a stage that takes its time does not keep a stop waiting") {
  struct Slow : StageStep {
    std::optional<Cause> apply(Multipart&, std::size_t) override {
      const auto end = std::chrono::steady_clock::now() + 5ms;
      while (std::chrono::steady_clock::now() < end) {
      }
      return Cause::topic_filter;
    }
  };
  Context context;
  auto relay = Relay::create(
      context, DeviceKind::streamer,
      {{.frontend = {.bind = {any_port}},
        .backend = {.bind = {any_port}},
        .stages = {{"slow", [](const Clock&) { return std::make_unique<Slow>(); }}}}});
  Runner runner(relay);
  zmq::context_t stock;
  Stock source(stock, zmq::socket_type::push);
  source.connect(relay->frontend().front().str());
  for (int i = 0; i < 500; ++i) source.send({"x"});
  CHECK(eventually([&] { return relay->ledgers()[0].frontend.received > 0; }));
  CHECK(runner.stop(0ms).took < 100ms);
}

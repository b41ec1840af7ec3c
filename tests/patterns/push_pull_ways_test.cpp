// Pushers and pullers on real sockets: one suite for every transport and way, batched or not.
#include "support/folder.hpp"
#include "support/stock.hpp"

#include <memory>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/devices/device.hpp>
#include <busbar/patterns/puller.hpp>
#include <busbar/patterns/pusher.hpp>

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::eventually;
using busbar::testing::soon;
using busbar::testing::Stock;

namespace {

/// Streamers in a row, with credit or for stock programs.
struct Row {
  Row(const std::string& kind, int streamers, bool credit) : transport(kind) {
    for (int i = 0; i < streamers; ++i) {
      DeviceOptions options{.frontend = {},
                            .backend = {.bind = {fresh("out" + std::to_string(i))}},
                            .credit = credit};
      if (i == 0) {
        options.frontend.bind = {fresh("in")};
      } else {
        options.frontend.connect = devices.back()->backend();
      }
      devices.push_back(std::make_unique<Streamer>(context, options));
      running.emplace_back(*devices.back());
    }
  }
  Endpoint fresh(const std::string& name) const {
    if (transport == "tcp") return "tcp://127.0.0.1:*";
    if (transport == "ipc") return "ipc://" + folder.path(name);
    return "inproc://" + name;
  }
  std::unique_ptr<Pusher> pusher(PusherOptions options) {
    if (devices.empty()) {
      options.bind = {fresh("direct")};
    } else {
      options.connect = devices.front()->frontend();
    }
    auto made = std::make_unique<Pusher>(context, std::move(options));
    pull_from = devices.empty() ? made->bound() : devices.back()->backend();
    return made;
  }
  Puller puller(PullerOptions options) {
    options.connect = pull_from;
    return Puller{context, std::move(options)};
  }

  std::string transport;
  Context context;
  testing::Folder folder;
  std::vector<std::unique_ptr<Streamer>> devices;
  std::vector<Runner> running;
  std::vector<Endpoint> pull_from;
};

template <class Test>
void every_way(bool credit, Test test) {
  for (const std::string transport : {"inproc", "ipc", "tcp"}) {
    for (const int streamers : {0, 1, 2}) {
      for (const bool batched : {false, true}) {
        CAPTURE(transport);
        CAPTURE(streamers);
        CAPTURE(batched);
        Row row{transport, streamers, credit};
        test(row, batched);
      }
    }
  }
}

constexpr int count = 300;

void push_all(Pusher& jobs) {
  for (int i = 0; i < count; ++i) {
    REQUIRE(jobs.push(std::to_string(i), {.headers = {{"i", std::to_string(i)}},
                                          .timeout = soon}) == SendResult::sent);
  }
}

}  // namespace

TEST_CASE("what is pushed is done once, in order, with its headers, on every way, batched or not") {
  every_way(true, [](Row& row, bool batched) {
    const auto jobs = row.pusher({.batch_bytes = batched ? 64u << 10 : 0});
    push_all(*jobs);
    Puller mine = row.puller({.credit = 16});
    for (int i = 0; i < count; ++i) {
      auto work = mine.receive(soon);
      REQUIRE(work);
      CHECK(work->payload() == std::to_string(i));
      CHECK(work->header("i") == std::to_string(i));
      CHECK_FALSE(work->redelivered());
      work->done();
    }
    jobs->flush(soon);
    CHECK(jobs->ledger().done == count);
    CHECK(jobs->ledger().redelivered == 0);
    CHECK(jobs->ledger().reconciles());
    CHECK(mine.ledger().done == count);
    CHECK(mine.ledger().reconciles());
    for (const auto& device : row.devices) {
      CHECK(eventually([&] { return device->ledger().backend.sent == count; }));
      CHECK(device->ledger().frontend.received == count);
      CHECK(device->ledger().reconciles());
    }
  });
}

TEST_CASE("what a worker left behind is done by another one, and says so, on every way") {
  every_way(true, [](Row& row, bool batched) {
    const auto jobs = row.pusher({.batch_bytes = batched ? 64u << 10 : 0});
    push_all(*jobs);
    std::set<std::string> left;
    {
      Puller gone = row.puller({.credit = 8});
      std::vector<Work> held;
      for (int i = 0; i < 8; ++i) {
        auto work = gone.receive(soon);
        REQUIRE(work);
        left.emplace(work->payload());
        held.push_back(std::move(*work));
      }
      gone.stop();
    }
    Puller mine = row.puller({.credit = 16});
    std::set<std::string> done;
    while (done.size() < count) {
      auto work = mine.receive(soon);
      REQUIRE(work);
      // So may be what was on its way when it left.
      if (left.contains(std::string{work->payload()})) CHECK(work->redelivered());
      done.emplace(work->payload());
      work->done();
    }
    jobs->flush(soon);
    CHECK(jobs->ledger().done == count);
    CHECK(jobs->ledger().reconciles());
  });
}

TEST_CASE("wire = plain speaks to stock PUSH and PULL, directly and through stock streamers") {
  for (const std::string transport : {"ipc", "tcp"}) {
    for (const int streamers : {0, 1, 2}) {
      CAPTURE(transport);
      CAPTURE(streamers);
      zmq::context_t stock;
      Row row{transport, streamers, false};
      const auto jobs = row.pusher({.wire = Wire::plain});
      Stock puller{stock, zmq::socket_type::pull};
      puller.connect(row.pull_from.front().str());
      for (int i = 0; i < count; ++i) {
        REQUIRE(jobs->push(std::to_string(i), {.timeout = soon}) == SendResult::sent);
      }
      for (int i = 0; i < count; ++i) {
        REQUIRE(puller.receive() == std::vector<std::string>{std::to_string(i)});
      }
      CHECK(jobs->ledger().reconciles());

      Row back{transport, streamers, false};
      Puller mine{
          back.context,
          streamers == 0
              ? PullerOptions{.bind = {back.fresh("direct")}, .wire = Wire::plain}
              : PullerOptions{.connect = back.devices.back()->backend(), .wire = Wire::plain}};
      Stock pusher{stock, zmq::socket_type::push};
      pusher.raw().set(zmq::sockopt::linger, 10'000);
      pusher.connect(
          (streamers == 0 ? mine.bound() : back.devices.front()->frontend()).front().str());
      for (int i = 0; i < count; ++i) REQUIRE(pusher.send({std::to_string(i)}));
      for (int i = 0; i < count; ++i) {
        auto work = mine.receive(soon);
        REQUIRE(work);
        CHECK(work->payload() == std::to_string(i));
        work->done();
      }
      CHECK(mine.ledger().reconciles());
    }
  }
}

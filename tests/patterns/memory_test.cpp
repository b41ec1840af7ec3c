// What a publisher with a stalled subscriber takes of memory, beside the bounds that it declares.
#include "support/way.hpp"

#include <algorithm>
#include <fstream>
#include <string>
#include <unistd.h>

#include <doctest/doctest.h>

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::Way;

namespace {

std::size_t resident_bytes() {
  std::ifstream statm{"/proc/self/statm"};
  std::size_t pages = 0;
  statm >> pages >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("a stalled subscriber costs no more memory than was declared") {
  for (const int way_and_batches : {0, 1, 2, 3}) {
    const int forwarders = way_and_batches / 2;
    const bool batched = way_and_batches % 2 == 1;
    CAPTURE(forwarders);
    CAPTURE(batched);
    Way way{"tcp", forwarders, Overflow::block, 100};
    PublisherOptions options{.history = {.bytes = 8u << 20}, .queue = 100};
    if (batched) options.batching.emplace();
    Publisher flood = way.publisher(options);
    Subscriber stalled = way.subscriber({.queue = 100});
    stalled.subscribe("t");
    stalled.wait_ready(10s);
    const std::string payload(4096, 'x');
    const std::size_t one = batched ? options.batching->bytes + payload.size() : payload.size();
    // The history, a queue at either end of each connection, what waits in front of them, and what
    // the allocator and libzmq's buffers add.
    const std::size_t queues = static_cast<std::size_t>(2 * (1 + forwarders)) * 100;
    const std::size_t bound =
        options.history.bytes + queues * one + options.queue_bytes + (8u << 20);
    const std::size_t before = resident_bytes();
    for (int i = 0; i < 100'000; ++i) {
      REQUIRE(flood.publish("t", payload) == SendResult::sent);
    }
    const std::size_t after = resident_bytes();
    CHECK(after - std::min(before, after) < bound);
    CHECK(flood.ledger().dropped > 0);
    CHECK(flood.ledger().history_bytes <= options.history.bytes);
  }
}

#include "support/desk.hpp"
#include "support/device_bench.hpp"

#include <atomic>
#include <future>

#include <doctest/doctest.h>

#include <busbar/devices/device.hpp>
#include <busbar/patterns/requester.hpp>

using namespace busbar;
using busbar::testing::any_port;
using busbar::testing::Desk;
using busbar::testing::eventually;
using busbar::testing::soon;

TEST_CASE("a requester with batches gets every answer, waited for, called back and left alone") {
  Context context;
  QueueProxy queue{context, {.frontend = {.bind = {any_port}}, .backend = {.bind = {any_port}}}};
  Runner running{queue};
  Desk desk{context, {.connect = queue.backend(), .threads = 2}};
  Requester ask{context, {.connect = queue.frontend(), .batch_messages = 16}};
  const RequestOptions patient{.deadline = soon};
  CHECK(ask.request("echo", "first", patient).get<std::string>() == "first");
  std::vector<PendingReply> waited_for;
  for (int i = 0; i < 1000; ++i)
    waited_for.push_back(ask.request("echo", std::to_string(i), patient));
  for (int i = 0; i < 1000; ++i)
    CHECK(waited_for[static_cast<std::size_t>(i)].get<std::string>() == std::to_string(i));
  std::atomic<int> called = 0;
  for (int i = 0; i < 1000; ++i)
    ask.request("echo", "x", patient, [&](Reply&& reply) { called += reply.ok() ? 1 : 0; });
  CHECK(eventually([&] { return called == 1000; }));
  // Nobody waits for these, and they are asked all the same.
  std::vector<PendingReply> left;
  for (int i = 0; i < 5; ++i) left.push_back(ask.request("echo", "y", patient));
  CHECK(eventually([&] { return desk.replier.ledger().replied == 2006; }));
  for (PendingReply& one : left) CHECK(one.get().ok());
  CHECK(ask.ledger().reconciles());
  CHECK(desk.replier.ledger().reconciles());
}

TEST_CASE("an answer does not wait for the slow handler of another request in its batch") {
  Context context;
  Replier desk{context, {.bind = {any_port}}};
  std::promise<void> first;
  std::promise<void> second;
  desk.on("first", [go = first.get_future().share()](std::string_view) { go.wait(); });
  desk.on("second", [go = second.get_future().share()](std::string_view) { go.wait(); });
  desk.on("quick", [](std::string_view text) { return text; });
  testing::Serving serving{desk};
  Requester ask{context, {.connect = desk.bound(), .batch_messages = 16}};
  const RequestOptions patient{.deadline = soon};
  ask.request("quick", "", patient).get<void>();  // now it is known
  PendingReply before = ask.request("first", "", patient);
  CHECK_FALSE(before.ready());
  PendingReply quick = ask.request("quick", "x", patient);
  PendingReply slow = ask.request("second", "", patient);
  CHECK_FALSE(slow.ready());  // which sends both
  first.set_value();
  CHECK(quick.get<std::string>() == "x");
  CHECK_FALSE(slow.ready());
  second.set_value();
  slow.get<void>();
  before.get<void>();
  CHECK(desk.ledger().reconciles());
}

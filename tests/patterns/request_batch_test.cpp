#include "support/desk.hpp"
#include "support/device_bench.hpp"
#include "support/folder.hpp"

#include <atomic>
#include <future>
#include <optional>
#include <utility>

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

namespace {

/// A replier with one thread, which `hold` keeps until it is let go: what is asked meanwhile is in
/// one batch.
struct Held {
  Context context;
  Replier desk;
  std::promise<void> let_go;
  std::optional<testing::Serving> serving;
  std::optional<Requester> ask;
  std::optional<PendingReply> hold;

  explicit Held(ReplierOptions options = {.bind = {any_port}}) : desk{context, std::move(options)} {
    desk.on("hold", [go = let_go.get_future().share()](std::string_view) { go.wait(); });
    desk.on("echo", [](std::string_view text) { return text; });
  }
  void begin() {
    serving.emplace(desk);
    ask.emplace(context, RequesterOptions{.connect = desk.bound(), .batch_messages = 16});
    request("echo").get<void>();  // now it is known
    hold.emplace(request("hold"));
    CHECK_FALSE(hold->ready());
  }
  PendingReply request(const char* method, std::string_view payload = "") {
    return ask->request(method, payload, {.deadline = soon});
  }
};

}  // namespace

TEST_CASE("an answer does not wait for the slow handler of another request in its batch") {
  Held it;
  std::promise<void> slow_ends;
  it.desk.on("slow", [go = slow_ends.get_future().share()](std::string_view) { go.wait(); });
  it.begin();
  PendingReply quick = it.request("echo", "x");
  PendingReply slow = it.request("slow");
  CHECK_FALSE(slow.ready());  // which sends both
  it.let_go.set_value();
  CHECK(quick.get<std::string>() == "x");
  CHECK_FALSE(slow.ready());
  slow_ends.set_value();
  slow.get<void>();
  it.hold->get<void>();
  CHECK(it.desk.ledger().reconciles());
}

TEST_CASE("an answer goes out where its handler has stopped the replier, be others in its batch") {
  Held it;
  it.desk.on("end", [&it](Request request) {
    (void)it.desk.stop(soon);
    request.reply("bye");
  });
  it.begin();
  PendingReply end = it.request("end");
  PendingReply never = it.request("echo");
  CHECK_FALSE(never.ready());
  it.let_go.set_value();
  CHECK(end.get<std::string>() == "bye");
  CHECK(never.get().outcome() == Outcome::refused);
}

TEST_CASE("a Freelance replier takes batches of a requester on Busbar's own wire") {
  const testing::Folder folder;
  Held it{{.bind = {"ipc://" + folder.path("desk")}, .wire = RequestWire::freelance}};
  it.begin();
  PendingReply one = it.request("echo", "1");
  PendingReply two = it.request("echo", "2");
  CHECK_FALSE(two.ready());
  it.let_go.set_value();
  CHECK(one.get<std::string>() == "1");
  CHECK(two.get<std::string>() == "2");
  CHECK(it.desk.ledger().malformed == 0);
}

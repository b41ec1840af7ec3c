#include "support/folder.hpp"
#include "support/services.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <latch>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>

#include <doctest/doctest.h>

#include <busbar/core/error.hpp>
#include <busbar/devices/device.hpp>
#include <busbar/patterns/service_client.hpp>
#include <busbar/patterns/service_worker.hpp>

using namespace busbar;
using namespace busbar::testing;
using namespace std::chrono_literals;

TEST_CASE("what a handler throws is counted, whatever it is, and its thread goes on") {
  BrokerSite site;
  ServiceWorker worker{
      site.context, {.service = "flaky", .connect = {site.broker()}}, [](std::string_view request) {
        if (request == "poison") throw 5;
        return request;
      }};
  ServiceClient client{site.context, site.broker()};
  CHECK_FALSE(client.call("flaky", "poison", 200ms).ok());
  CHECK(eventually([&] { return worker.ledger().failed == 1; }));
  CHECK(client.call("flaky", "food", soon).payload() == "food");
}

TEST_CASE("a handler answers text as it is and nothing as nothing, and may be noexcept") {
  BrokerSite site;
  const auto answer_of = [&](auto handler) {
    ServiceWorker worker{site.context, {.service = "any", .connect = {site.broker()}}, handler};
    ServiceClient client{site.context, site.broker()};
    const std::string answer{client.call("any", "hello", soon).payload()};
    CHECK(worker.stop(1s).clean);
    return answer;
  };
  CHECK(answer_of([](ServiceRequest&) { return std::string_view{"view"}; }) == "view");
  CHECK(answer_of([](ServiceRequest&) { return "literal"; }) == "literal");
  CHECK(answer_of([](std::string text) { return text; }) == "hello");
  CHECK(answer_of([](std::string_view text) { return text; }) == "hello");
  CHECK(answer_of([](std::string_view) {}).empty());
  CHECK(answer_of([] { return std::string{"nobody asked"}; }) == "nobody asked");
  CHECK(answer_of([](std::string_view text, ServiceRequest& request) {
          return text == request.payload() ? "both" : "";
        }) == "both");
  CHECK(answer_of([](std::string_view) noexcept { return 7; }) == pack(7));
  CHECK(answer_of([n = 0](std::string_view) mutable noexcept { return ++n; }) == pack(1));
  CHECK(answer_of(+[](std::string_view text) noexcept { return std::string{text}; }) == "hello");
}

TEST_CASE("a worker's handler may hold what can be moved only") {
  BrokerSite site;
  ServiceWorker worker{site.context,
                       {.service = "seven", .connect = {site.broker()}},
                       [held = std::make_unique<int>(7)] { return *held; }};
  ServiceClient client{site.context, site.broker()};
  CHECK(client.call("seven", "", soon).as<int>() == 7);
}

TEST_CASE("a payload that a worker's handler does not take has failed") {
  BrokerSite site;
  ServiceWorker worker{site.context,
                       {.service = "accounts", .connect = {site.broker()}},
                       [](const Account& account) { return account.number; }};
  ServiceClient client{site.context, site.broker()};
  CHECK_FALSE(client.call("accounts", "no account", 200ms).ok());
  CHECK(eventually([&] { return worker.ledger().failed == 1; }));
  CHECK(client.call("accounts", Account{7}, soon).as<int>() == 7);
}

TEST_CASE("a worker's end waits for the handler, as what that uses may go then") {
  BrokerSite site;
  std::latch begun{1};
  std::latch go_on{1};
  std::atomic<bool> returned = false;
  std::optional<ServiceWorker> worker;
  worker.emplace(site.context, ServiceWorkerOptions{.service = "slow", .connect = {site.broker()}},
                 [&] {
                   begun.count_down();
                   go_on.wait();
                   returned = true;
                 });
  site.wait_for("slow");
  ServiceClient client{site.context, site.broker()};
  CHECK_FALSE(client.call("slow", "", 10ms).ok());
  begun.wait();
  const StopReport report = worker->stop(0ms);
  CHECK(report.abandoned == 1);
  CHECK_FALSE(report.clean);
  // Longer than a thread is waited for that may be left behind.
  std::future<void> gone = std::async(std::launch::async, [&] { worker.reset(); });
  CHECK(gone.wait_for(300ms) == std::future_status::timeout);
  go_on.count_down();
  gone.get();
  CHECK(returned);
}

TEST_CASE("a worker without a broker has nobody to say goodbye to, and ends at once") {
  const Folder folder;
  const auto begun = std::chrono::steady_clock::now();
  {
    Context context;
    ServiceWorker worker{context,
                         {.service = "alone", .connect = {"ipc://" + folder.path("none")}},
                         [](std::string_view text) { return text; }};
    CHECK(worker.stop(soon).clean);
  }
  CHECK(std::chrono::steady_clock::now() - begun < 800ms);  // its sockets linger for a second
}

TEST_CASE("a worker that failed at a request is registered anew") {
  BrokerSite site;
  ServiceWorker worker{
      site.context, {.service = "echo", .connect = {site.broker()}}, [&](ServiceRequest& request) {
        if (request.payload() == "poison") throw std::runtime_error("no");
        return echo(request);
      }};
  ServiceClient client{site.context, site.broker()};
  CHECK_FALSE(client.call("echo", "poison", 200ms).ok());
  CHECK(client.call("echo", "food", soon).payload() == "food");
  CHECK(worker.ledger().registrations == 2);
}

TEST_CASE(
    "with prefetch a worker works on its requests one after the other, and loses none of them") {
  BrokerSite site{{.prefetch = 50}};
  ServiceWorker worker{
      site.context, {.service = "echo", .connect = {site.broker()}}, [&](ServiceRequest& request) {
        if (request.payload() == "7") throw std::runtime_error("no");
        return echo(request);
      }};
  site.wait_for("echo");
  Stock client{site.zmq, zmq::socket_type::dealer};
  client.connect(site.broker().str());
  for (int i = 0; i < 200; ++i) client.send({"MDPC02", "\1", "echo", std::to_string(i)});
  std::set<int> answered;
  while (answered.size() < 199) answered.insert(std::stoi(client.receive().at(3)));
  CHECK_FALSE(answered.contains(7));
  CHECK(eventually([&] { return worker.ledger().running == 0; }));
  const ServiceWorkerLedger ledger = worker.ledger();
  CHECK(ledger.replied == 199);
  CHECK(ledger.failed == 1);
  CHECK(ledger.registrations == 1);
  CHECK(ledger.reconciles());
}

TEST_CASE("with prefetch workers come and go under load, and no request is lost") {
  BrokerSite site{{.prefetch = 20}};
  const auto start = [&] {
    return std::make_unique<ServiceWorker>(
        site.context, ServiceWorkerOptions{.service = "echo", .connect = {site.broker()}}, echo);
  };
  auto worker = start();
  Stock client{site.zmq, zmq::socket_type::dealer};
  client.connect(site.broker().str());
  int sent = 0;
  const auto ask = [&] { client.send({"MDPC02", "\1", "echo", std::to_string(sent++)}); };
  while (sent < 100) ask();
  for (int turn = 0; turn < 5; ++turn) {
    for (int i = 0; i < 200; ++i, ask()) REQUIRE(client.receive().size() == 4);
    auto next = start();
    CHECK(worker->stop(soon).clean);
    worker = std::move(next);
  }
  for (int i = 0; i < 100; ++i) REQUIRE(client.receive().size() == 4);
}

TEST_CASE("an answer that no message can carry costs its own request only") {
  BrokerSite site;
  ServiceWorker worker{
      site.context,
      {.service = "echo", .connect = {site.broker()}, .version = MajordomoVersion::v01},
      [&](ServiceRequest& request) {
        if (request.payload() == "much")
          for (int i = 0; i < 100; ++i) request.part("part");
        return echo(request);
      }};
  ServiceClient client{site.context, site.broker()};
  CHECK_FALSE(client.call("echo", "much", 200ms).ok());
  CHECK(client.call("echo", "little", soon).payload() == "little");
  CHECK(worker.ledger().failed == 1);
}

TEST_CASE("an answer in more parts than queues hold arrives whole, or not at all") {
  BrokerSite site;
  constexpr int parts = 20'000;
  ServiceWorker worker{
      site.context, {.service = "count", .connect = {site.broker()}}, [&](ServiceRequest& request) {
        for (int i = 0; i < parts; ++i) request.part(std::to_string(i));
        return "end";
      }};
  ServiceClient client{site.context, site.broker()};
  int next = 0;
  bool whole = true;
  const ServiceReply reply = client.call("count", "", 3s, {.on_part = [&](std::string_view part) {
                                           whole &= part == std::to_string(next++);
                                         }});
  CHECK(reply.ok() == (next == parts));
  CHECK(whole);
  CHECK(eventually([&] { return worker.ledger().replied == 1; }));
}

TEST_CASE("several threads work for one name, and show that they live meanwhile") {
  BrokerSite site{{.heartbeat = 20ms, .expiry = 200ms}};
  std::latch both{2};
  ServiceWorker worker{
      site.context,
      {.service = "meet", .connect = {site.broker()}, .threads = 2, .heartbeat = 20ms},
      [&](ServiceRequest& request) {
        both.arrive_and_wait();
        return echo(request);
      }};
  ServiceClient one{site.context, site.broker()};
  std::string first;
  std::thread other{[&] {
    ServiceClient two{site.context, site.broker()};
    first = two.call("meet", "2", soon).payload();
  }};
  CHECK(one.call("meet", "1", soon).payload() == "1");
  other.join();
  CHECK(first == "2");
}

TEST_CASE("a worker comes back to a broker that is another one, and clients ask it") {
  Context context;
  auto first = std::make_unique<Services>(
      context, DeviceOptions{.frontend = {.bind = {"tcp://127.0.0.1:*"}}});
  const Endpoint broker = first->frontend().front();
  auto running = std::make_unique<Runner>(*first);
  ServiceWorker worker{
      context, {.service = "echo", .connect = {broker}, .heartbeat = 20ms, .expiry = 200ms}, echo};
  ServiceClient client{context, broker};
  CHECK(client.call("echo", "1", soon).payload() == "1");
  CHECK(running->stop(1s).clean);
  running.reset();
  first.reset();
  Services second{context, {.frontend = {.bind = {broker}}}};
  Runner again{second};
  CHECK(client.call("echo", "2", soon, {.idempotent = true, .attempt_timeout = 300ms}).payload() ==
        "2");
  CHECK(worker.ledger().registrations >= 2);
}

TEST_CASE("a worker that stops finishes what it has begun") {
  BrokerSite site;
  std::latch begun{1};
  std::latch go_on{1};
  ServiceWorker worker{
      site.context, {.service = "slow", .connect = {site.broker()}}, [&](ServiceRequest& request) {
        begun.count_down();
        go_on.wait();
        return echo(request);
      }};
  std::thread stopping{[&] {
    begun.wait();
    std::thread letting{[&] { go_on.count_down(); }};
    CHECK(worker.stop(soon).clean);
    letting.join();
  }};
  ServiceClient client{site.context, site.broker()};
  CHECK(client.call("slow", "1", soon).payload() == "1");
  stopping.join();
  CHECK(client.is_served("slow", soon) == false);
}

TEST_CASE("a registration that no broker got is not delivered when one comes") {
  const Folder folder;
  const std::string broker = "ipc://" + folder.path("broker");
  Context context;
  ServiceWorker worker{
      context, {.service = "echo", .connect = {broker}, .heartbeat = 20ms, .expiry = 600ms}, echo};
  REQUIRE(eventually([&] { return worker.ledger().registrations >= 3; }));
  zmq::context_t zmq;
  Stock router{zmq, zmq::socket_type::router};
  router.raw().bind(broker);
  std::map<std::string, int> heard;  // per connection
  // Longer than a connection that was given up would need to come back.
  while (std::ranges::all_of(heard, [](const auto& one) { return one.second < 30; })) {
    const std::vector<std::string> frames = router.receive();
    REQUIRE(frames.size() >= 3);
    ++heard[frames[0]];
    router.send({frames[0], "MDPW02", "\x05"});  // a heartbeat
  }
  CHECK(heard.size() == 1);
}

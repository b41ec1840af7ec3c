#include "support/stock.hpp"

#include <atomic>
#include <future>
#include <latch>
#include <optional>
#include <stdexcept>

#include <doctest/doctest.h>

#include <busbar/core/error.hpp>
#include <busbar/devices/device.hpp>
#include <busbar/patterns/service_client.hpp>
#include <busbar/patterns/service_worker.hpp>

using namespace busbar;
using namespace busbar::testing;
using namespace std::chrono_literals;

namespace {

struct Site {
  explicit Site(WorkerRules rules = {})
      : services(context, {.frontend = {.bind = {"tcp://127.0.0.1:*"}}, .workers = rules}),
        running(services) {}
  Endpoint broker() const { return services.frontend().front(); }
  void wait_for(const std::string& service) {
    ServiceClient asking{context, broker()};
    REQUIRE(eventually([&] { return asking.is_served(service, soon) == true; }));
  }

  Context context;
  zmq::context_t zmq;
  Services services;
  Runner running;
};

std::string echo(ServiceRequest& request) { return std::string{request.payload()}; }

struct Account {
  int number = 0;
  MSGPACK_DEFINE(number)
};

}  // namespace

TEST_CASE("a client calls a service by name, whatever versions they speak") {
  Site site;
  for (const MajordomoVersion ours : {MajordomoVersion::v01, MajordomoVersion::v02}) {
    const std::string name = ours == MajordomoVersion::v01 ? "old" : "new";
    ServiceWorker worker{
        site.context, {.service = name, .connect = {site.broker()}, .version = ours}, echo};
    for (const MajordomoVersion theirs : {MajordomoVersion::v01, MajordomoVersion::v02}) {
      ServiceClient client{site.context, {.connect = {site.broker()}, .version = theirs}};
      CHECK(client.call(name, "hello", soon).payload() == "hello");
      CHECK(client.call(name, "", soon).payload().empty());
    }
    CHECK(worker.stop(1s).clean);
    CHECK(worker.ledger().answered == 4);
    CHECK(worker.ledger().reconciles());
  }
}

TEST_CASE("what msgpack can take goes both ways") {
  Site site;
  ServiceWorker worker{site.context,
                       {.service = "balance", .connect = {site.broker()}},
                       [](const Account& account) { return Account{account.number + 1}; }};
  ServiceClient client{site.context, site.broker()};
  CHECK(client.call("balance", Account{7}, soon).as<Account>().number == 8);
}

TEST_CASE("an answer in parts comes as it is said, or as one") {
  Site site;
  ServiceWorker worker{site.context,
                       {.service = "list", .connect = {site.broker()}},
                       [](ServiceRequest& request) -> std::string {
                         request.part("a");
                         request.part("b");
                         return "c";
                       }};
  ServiceClient client{site.context, site.broker()};
  std::string parts;
  const ServiceReply reply =
      client.call("list", "", soon, {.on_part = [&](std::string_view part) { parts += part; }});
  CHECK(parts == "ab");
  CHECK(reply.payload() == "c");
  CHECK(client.call("list", "", soon).frames().size() == 3);
  ServiceClient old{site.context, {.connect = {site.broker()}, .version = MajordomoVersion::v01}};
  CHECK(old.call("list", "", soon).frames().size() == 3);
}

TEST_CASE("the payload is the final answer's, wherever the parts go") {
  Site site;
  ServiceWorker worker{site.context,
                       {.service = "list", .connect = {site.broker()}},
                       [](ServiceRequest& request) -> std::string {
                         request.part("a");
                         return "z";
                       }};
  ServiceClient client{site.context, site.broker()};
  const ServiceReply reply = client.call("list", "", soon);
  CHECK(reply.payload() == "z");
  REQUIRE(reply.frames().size() == 2);
  CHECK(reply.frames().text(0) == "a");
}

TEST_CASE("a callback that throws does not leave its call's rest to the next one") {
  Site site;
  ServiceWorker worker{site.context,
                       {.service = "list", .connect = {site.broker()}},
                       [](ServiceRequest& request) -> std::string {
                         request.part("a");
                         return std::string{request.payload()};
                       }};
  ServiceClient client{site.context, site.broker()};
  const auto throws = [](std::string_view) { throw 5; };
  CHECK_THROWS_AS((void)client.call("list", "1", soon, {.on_part = throws}), int);
  // From another thread, as it owns nothing any more.
  std::thread{[&] {
    std::string parts;
    const auto keep = [&](std::string_view part) { parts += part; };
    CHECK(client.call("list", "2", soon, {.on_part = keep}).payload() == "2");
    CHECK(parts == "a");
  }}.join();
  CHECK(client.ledger().failed == 1);
  CHECK(client.ledger().answered == 1);
  CHECK(client.ledger().reconciles());
}

TEST_CASE("a broker that is not there costs no time where another one is") {
  Site site;
  ServiceWorker worker{site.context, {.service = "echo", .connect = {site.broker()}}, echo};
  site.wait_for("echo");
  ServiceClient client{site.context, {.connect = {"tcp://127.0.0.1:1", site.broker()}}};
  // Not by a third of this time, or the test's own limit is over.
  CHECK(client.call("echo", "1", 1h).payload() == "1");
  CHECK(client.ledger().sent == 1);
  CHECK(client.ledger().connected);
  CHECK(worker.ledger().received == 1);
}

TEST_CASE("a broker that takes connections and says nothing costs an attempt") {
  Site site;
  ServiceWorker worker{site.context, {.service = "echo", .connect = {site.broker()}}, echo};
  Stock silent{site.zmq, zmq::socket_type::stream};
  silent.raw().bind("tcp://127.0.0.1:*");
  ServiceClient client{
      site.context,
      {.connect = {Endpoint{silent.raw().get(zmq::sockopt::last_endpoint)}, site.broker()}}};
  CHECK(client.call("echo", "1", soon, {.attempt = 100ms}).payload() == "1");
  CHECK(client.ledger().sent == 1);
}

TEST_CASE(
    "why there is no answer is told: no broker, no address, keys that do not fit, no worker") {
  Site site;
  const auto why = [&](ServiceClientOptions options) {
    ServiceClient client{site.context, std::move(options)};
    const ServiceReply reply = client.call("nobody", "x", 300ms);
    CHECK(client.ledger().reconciles());
    try {
      (void)reply.payload();
    } catch (const RequestError& error) {
      CHECK(error.outcome() == reply.outcome());
      return error;
    }
    throw std::logic_error("it was answered");
  };
  const RequestError no_broker = why({.connect = {"tcp://127.0.0.1:1"}});
  CHECK(no_broker.outcome() == Outcome::no_peer);
  CHECK(no_broker.kind() == ErrorKind::unreachable);
  const RequestError no_address = why({.connect = {"tcp://nowhere.invalid:1"}});
  CHECK(no_address.outcome() == Outcome::no_peer);
  CHECK(no_address.cause().find("nowhere.invalid") != std::string::npos);
  const RequestError no_worker = why({.connect = {site.broker()}});
  CHECK(no_worker.outcome() == Outcome::expired);
  CHECK(no_worker.kind() == ErrorKind::timeout);

  const RequestError keys = why(
      {.connect = {site.broker()},
       .security = {.keys = CurveKeys::create(), .server_key = CurveKeys::create().public_key}});
  CHECK(keys.outcome() == Outcome::no_peer);
  CHECK(keys.kind() == ErrorKind::refused);
}

TEST_CASE("a worker says why no broker takes it") {
  Site site;
  const auto worker = [&](Endpoint broker, Security security = {}) {
    return ServiceWorker{
        site.context,
        {.service = "echo", .connect = {std::move(broker)}, .security = std::move(security)},
        echo};
  };
  const ServiceWorker stranger = worker(
      site.broker(), {.keys = CurveKeys::create(), .server_key = CurveKeys::create().public_key});
  CHECK(eventually([&] { return !stranger.ledger().handshake_failure.empty(); }));
  const ServiceWorker lost = worker("tcp://nowhere.invalid:1");
  CHECK(eventually(
      [&] { return lost.ledger().unresolved.find("nowhere.invalid") != std::string::npos; }));
  const ServiceWorker welcome = worker(site.broker());
  site.wait_for("echo");
  CHECK(welcome.ledger().handshake_failure.empty());
}

TEST_CASE("a connection that goes while a call is out is told at once, or it is sent again") {
  zmq::context_t zmq;
  Context context;
  for (const bool idempotent : {false, true}) {
    auto broker = std::make_unique<Stock>(zmq, zmq::socket_type::router);
    broker->raw().bind("tcp://127.0.0.1:*");
    const std::string address = broker->raw().get(zmq::sockopt::last_endpoint);
    ServiceClient client{context, Endpoint{address}};
    auto pending = std::async(std::launch::async, [&] {
      return client.call("echo", "1", 1h, {.idempotent = idempotent});
    });
    REQUIRE(broker->receive().size() == 5);
    broker.reset();
    if (!idempotent) {
      CHECK(pending.get().outcome() == Outcome::lost);
      CHECK(client.ledger().lost == 1);
      continue;
    }
    broker = std::make_unique<Stock>(zmq, zmq::socket_type::router);
    REQUIRE(eventually([&] { return zmq_bind(broker->raw().handle(), address.c_str()) == 0; }));
    std::vector<std::string> request = broker->receive();
    REQUIRE(request.size() == 5);
    request[2] = "\3";
    REQUIRE(broker->send(request));
    CHECK(pending.get().payload() == "1");
    CHECK(client.ledger().retried == 1);
  }
}

TEST_CASE("no answer in time is told, and the late one comes to nobody") {
  Site site;
  std::latch asked{1};
  std::latch go_on{1};
  ServiceWorker worker{
      site.context, {.service = "slow", .connect = {site.broker()}}, [&](ServiceRequest& request) {
        if (request.payload() == "1") {
          asked.count_down();
          go_on.wait();
        }
        return echo(request);
      }};
  site.wait_for("slow");
  ServiceClient client{site.context, site.broker()};
  const ServiceReply reply = client.call("slow", "1", 100ms);
  CHECK_FALSE(reply);
  CHECK_THROWS_AS((void)reply.payload(), Error);
  asked.wait();
  go_on.count_down();
  CHECK(client.call("slow", "2", soon).payload() == "2");
}

TEST_CASE("an idempotent call is sent again, another one is not") {
  Site site;
  std::atomic<int> calls = 0;
  ServiceWorker worker{site.context,
                       {.service = "flaky", .connect = {site.broker()}, .threads = 2},
                       [&](ServiceRequest& request) {
                         if (++calls == 1) throw std::runtime_error("the first one fails");
                         return echo(request);
                       }};
  site.wait_for("flaky");
  ServiceClient client{site.context, site.broker()};
  CHECK(client.call("flaky", "1", soon, {.idempotent = true, .attempt = 100ms}).payload() == "1");
  CHECK(calls == 2);
  calls = 0;
  CHECK_FALSE(client.call("flaky", "2", 200ms));
  CHECK(calls == 1);
  CHECK(eventually([&] { return worker.ledger().failed == 2; }));
  CHECK(worker.ledger().reconciles());
}

TEST_CASE("what a handler throws is counted, whatever it is, and its thread goes on") {
  Site site;
  ServiceWorker worker{
      site.context, {.service = "flaky", .connect = {site.broker()}}, [](std::string_view request) {
        if (request == "poison") throw 5;
        return request;
      }};
  ServiceClient client{site.context, site.broker()};
  CHECK_FALSE(client.call("flaky", "poison", 200ms));
  CHECK(eventually([&] { return worker.ledger().failed == 1; }));
  CHECK(client.call("flaky", "food", soon).payload() == "food");
}

TEST_CASE("a handler answers text as it is and nothing as nothing, and may be noexcept") {
  Site site;
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
  Site site;
  ServiceWorker worker{site.context,
                       {.service = "seven", .connect = {site.broker()}},
                       [held = std::make_unique<int>(7)] { return *held; }};
  ServiceClient client{site.context, site.broker()};
  CHECK(client.call("seven", "", soon).as<int>() == 7);
}

TEST_CASE("a payload that a worker's handler does not take has failed") {
  Site site;
  ServiceWorker worker{site.context,
                       {.service = "accounts", .connect = {site.broker()}},
                       [](const Account& account) { return account.number; }};
  ServiceClient client{site.context, site.broker()};
  CHECK_FALSE(client.call("accounts", "no account", 200ms));
  CHECK(eventually([&] { return worker.ledger().failed == 1; }));
  CHECK(client.call("accounts", Account{7}, soon).as<int>() == 7);
}

TEST_CASE("a worker's end waits for the handler, as what that uses may go then") {
  Site site;
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
  CHECK_FALSE(client.call("slow", "", 10ms));
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

TEST_CASE("a worker that failed at a request is registered anew") {
  Site site;
  ServiceWorker worker{
      site.context, {.service = "echo", .connect = {site.broker()}}, [&](ServiceRequest& request) {
        if (request.payload() == "poison") throw std::runtime_error("no");
        return echo(request);
      }};
  ServiceClient client{site.context, site.broker()};
  CHECK_FALSE(client.call("echo", "poison", 200ms));
  CHECK(client.call("echo", "food", soon).payload() == "food");
  CHECK(worker.ledger().connections == 2);
}

TEST_CASE("several threads work for one name, and show that they live meanwhile") {
  Site site{{.heartbeat = 20ms, .expiry = 200ms}};
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
  CHECK(client.call("echo", "2", soon, {.idempotent = true, .attempt = 300ms}).payload() == "2");
  CHECK(worker.ledger().connections >= 2);
}

TEST_CASE("a worker that stops finishes what it has begun") {
  Site site;
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

TEST_CASE("what cannot be a service is refused with the remedy") {
  Context context;
  const auto refused = [&](ServiceWorkerOptions options) {
    try {
      ServiceWorker worker{context, std::move(options), echo};
    } catch (const Error& error) {
      return error.kind() == ErrorKind::usage && !error.remedy().empty();
    }
    return false;
  };
  CHECK(refused({.service = "", .connect = {"tcp://127.0.0.1:1"}}));
  CHECK(refused({.service = "mmi.mine", .connect = {"tcp://127.0.0.1:1"}}));
  CHECK(refused({.service = "echo"}));
  CHECK(refused({.service = "echo", .connect = {"tcp://127.0.0.1:1"}, .threads = 0}));
  CHECK(refused({.service = "echo", .connect = {"tcp://127.0.0.1:1"}, .threads = 1001}));
  CHECK(refused({.service = "echo", .connect = {"tcp://127.0.0.1:1", "tcp://127.0.0.1:1"}}));
  CHECK(refused({.service = "echo", .connect = {"tcp://127.0.0.1:1"}, .heartbeat = 0ms}));
  CHECK(refused({.service = "echo", .connect = {"tcp://127.0.0.1:1"}, .expiry = 0ms}));
  ServiceClient client{context, "tcp://127.0.0.1:1"};
  CHECK_THROWS_AS((void)client.call("", "x", 1s), Error);
  CHECK_THROWS_AS((void)client.call(std::string(256, 'x'), "x", 1s), Error);
}

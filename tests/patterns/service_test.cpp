#include "support/services.hpp"

#include <atomic>
#include <future>
#include <latch>
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

TEST_CASE("a client whose call expired connects anew for the next call, and not before") {
  BrokerSite site;
  ServiceClient client{site.context, site.broker()};
  CHECK(client.call("nobody", "1", 50ms).outcome() == Outcome::expired);
  const auto connections = [&] {
    std::uint64_t all = 0;
    std::uint64_t open = 0;
    for (const PeerInfo& peer : site.services.ledger().peers) {
      all += peer.connections + peer.refused;
      open += peer.connected ? 1 : 0;
    }
    return open == 0 ? all : 0;
  };
  CHECK(eventually([&] { return connections() == 1; }));
  ServiceWorker worker{site.context, {.service = "echo", .connect = {site.broker()}}, echo};
  CHECK(client.call("echo", "2", soon).payload() == "2");
  CHECK(client.ledger().connected);
}

TEST_CASE("a client calls a service by name, whatever versions they speak") {
  BrokerSite site;
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
    CHECK(worker.ledger().replied == 4);
    CHECK(worker.ledger().reconciles());
  }
}

TEST_CASE("what msgpack can take goes both ways") {
  BrokerSite site;
  ServiceWorker worker{site.context,
                       {.service = "balance", .connect = {site.broker()}},
                       [](const Account& account) { return Account{account.number + 1}; }};
  ServiceClient client{site.context, site.broker()};
  CHECK(client.call("balance", Account{7}, soon).as<Account>().number == 8);
}

TEST_CASE("an answer in parts comes as it is said, or as one") {
  BrokerSite site;
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
  BrokerSite site;
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
  BrokerSite site;
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
  CHECK(client.ledger().replied == 1);
  CHECK(client.ledger().reconciles());
}

TEST_CASE("a broker that is not there costs no time where another one is") {
  BrokerSite site;
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
  BrokerSite site;
  ServiceWorker worker{site.context, {.service = "echo", .connect = {site.broker()}}, echo};
  Stock silent{site.zmq, zmq::socket_type::stream};
  silent.raw().bind("tcp://127.0.0.1:*");
  ServiceClient client{
      site.context,
      {.connect = {Endpoint{silent.raw().get(zmq::sockopt::last_endpoint)}, site.broker()}}};
  CHECK(client.call("echo", "1", soon, {.attempt_timeout = 100ms}).payload() == "1");
  CHECK(client.ledger().sent == 1);
}

TEST_CASE(
    "why there is no answer is told: no broker, no address, keys that do not fit, no worker") {
  BrokerSite site;
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

TEST_CASE("a call that has no time is not sent, and the question for a service is a call") {
  BrokerSite site;
  ServiceClient client{site.context, site.broker()};
  CHECK(client.is_served("nobody", soon) == false);
  for (const auto timeout : {0ms, -1ms}) {
    CHECK(client.call("nobody", "", timeout).outcome() == Outcome::no_peer);
  }
  CHECK_FALSE(client.is_served("nobody", 0ms));
  const ServiceClientLedger ledger = client.ledger();
  CHECK(ledger.called == 4);
  CHECK(ledger.replied == 1);
  CHECK(ledger.sent == 1);
  CHECK(ledger.reconciles());
}

TEST_CASE("a worker says why no broker takes it") {
  BrokerSite site;
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
  BrokerSite site;
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
  CHECK_FALSE(reply.ok());
  CHECK_THROWS_AS((void)reply.payload(), Error);
  asked.wait();
  go_on.count_down();
  CHECK(client.call("slow", "2", soon).payload() == "2");
}

TEST_CASE("an idempotent call is sent again, another one is not") {
  BrokerSite site;
  std::atomic<int> calls = 0;
  ServiceWorker worker{site.context,
                       {.service = "flaky", .connect = {site.broker()}, .threads = 2},
                       [&](ServiceRequest& request) {
                         if (++calls == 1) throw std::runtime_error("the first one fails");
                         return echo(request);
                       }};
  site.wait_for("flaky");
  ServiceClient client{site.context, site.broker()};
  CHECK(client.call("flaky", "1", soon, {.idempotent = true, .attempt_timeout = 100ms}).payload() ==
        "1");
  CHECK(calls == 2);
  calls = 0;
  CHECK_FALSE(client.call("flaky", "2", 200ms).ok());
  CHECK(calls == 1);
  CHECK(eventually([&] { return worker.ledger().failed == 2; }));
  CHECK(worker.ledger().reconciles());
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
  CHECK(refused({.service = "echo", .connect = {"tcp://127.0.0.1:1"}, .expiry = 1s}));
  ServiceClient client{context, "tcp://127.0.0.1:1"};
  CHECK_THROWS_AS((void)client.call("", "x", 1s), Error);
  CHECK_THROWS_AS((void)client.call(std::string(256, 'x'), "x", 1s), Error);
}

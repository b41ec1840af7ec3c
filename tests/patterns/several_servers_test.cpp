#include "support/desk.hpp"
#include "support/folder.hpp"
#include "support/stock.hpp"

#include <algorithm>
#include <optional>

#include <doctest/doctest.h>

#include <busbar/patterns/requester.hpp>

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::any_port;
using busbar::testing::at;
using busbar::testing::Desk;
using busbar::testing::eventually;
using busbar::testing::soon;
using busbar::testing::Stock;

namespace {

constexpr RequestOptions patient{.deadline = soon};
constexpr RequestOptions again{.deadline = soon, .idempotent = true};

std::vector<Endpoint> both(const Desk& one, const Desk& two) { return {at(one)[0], at(two)[0]}; }

}  // namespace

TEST_CASE("the server with the fewest requests unanswered is asked") {
  Context context;
  Desk one{context, {.bind = {any_port}}};
  Desk two{context, {.bind = {any_port}}};
  Requester ask{context, {.connect = both(one, two)}};
  ask.wait_for_servers(2, soon);
  std::vector<PendingReply> held;
  for (int i = 0; i < 10; ++i) held.push_back(ask.request("keep", "", patient));
  REQUIRE(eventually([&] { return one.keeps() == 5 && two.keeps() == 5; }));
  {
    const std::scoped_lock lock(one.mutex);
    one.kept.clear();
  }
  REQUIRE(eventually([&] {
    return ask.request("echo", "", patient).get().ok() &&
           std::count_if(held.begin(), held.end(),
                         [](PendingReply& reply) { return reply.ready(); }) == 5;
  }));
  for (int i = 0; i < 4; ++i) held.push_back(ask.request("keep", "", patient));
  REQUIRE(eventually([&] { return one.keeps() == 4; }));
  CHECK(two.keeps() == 5);
}

TEST_CASE("with failover the first that is there is asked, and the next when it goes") {
  Context context;
  auto one = std::make_unique<Desk>(context, ReplierOptions{.bind = {any_port}});
  Desk two{context, {.bind = {any_port}}};
  Requester ask{context, {.connect = both(*one, two), .choice = Choice::failover}};
  ask.wait_for_servers(2, soon);
  for (int i = 0; i < 10; ++i) REQUIRE(ask.request("nothing", "", patient).get().ok());
  CHECK(one->nothings == 10);
  one.reset();
  for (int i = 0; i < 10; ++i) REQUIRE(ask.request("nothing", "", again).get().ok());
  CHECK(two.nothings == 10);
}

TEST_CASE("a server that is there and says nothing is left for the next one") {
  zmq::context_t stock;
  Stock deaf(stock, zmq::socket_type::router);
  deaf.raw().bind(any_port);
  Context context;
  Desk two{context, {.bind = {any_port}}};
  Requester ask{context,
                {.connect = {deaf.raw().get(zmq::sockopt::last_endpoint), at(two)[0]},
                 .choice = Choice::failover,
                 .attempt_timeout = 20ms}};
  ask.wait_for_servers(2, soon);
  CHECK(ask.request("echo", "1", again).get<std::string>() == "1");
  CHECK(ask.ledger().retried == 1);
  CHECK(ask.request("echo", "2", patient).get<std::string>() == "2");  // it comes last from now on
  CHECK(ask.ledger().sent == 3);
  CHECK(ask.ledger().reconciles());
}

TEST_CASE("a slow reply is hedged within the budget, and the loser is told to stop") {
  Context context;
  Desk quick{context, {.bind = {any_port}}};
  Desk slow{context, {.bind = {any_port}}};
  Requester ask{context, {.connect = both(slow, quick), .choice = Choice::failover, .hedge = 0.05}};
  ask.wait_for_servers(2, soon);
  for (int i = 0; i < 64; ++i) REQUIRE(ask.request("echo", "", again).get().ok());
  const std::uint64_t before = ask.ledger().hedged;
  PendingReply kept = ask.request("keep", "x", again);
  REQUIRE(eventually([&] { return kept.ready() || quick.keeps() == 1; }));
  {
    const std::scoped_lock lock(quick.mutex);
    quick.kept[0].reply("quick");
  }
  CHECK(kept.get<std::string>() == "quick");
  CHECK(ask.ledger().hedged == before + 1);
  REQUIRE(eventually([&] {
    const std::scoped_lock lock(slow.mutex);
    return slow.kept.size() == 1 && slow.kept[0].cancelled();
  }));
  CHECK(ask.ledger().cancels >= 1);
  CHECK(ask.ledger().hedged <= ask.ledger().requested / 20 + 1);
  CHECK(ask.ledger().reconciles());
}

TEST_CASE("a survey asks every server, and drops what comes after its deadline") {
  Context context;
  Desk one{context, {.bind = {any_port}}};
  Desk two{context, {.bind = {any_port}}};
  Requester ask{context, {.connect = {at(one)[0], at(two)[0], "ipc:///nowhere/at.all"}}};
  ask.wait_for_servers(2, soon);
  const auto answers = ask.survey("echo", "how are you", soon);
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].server == at(one)[0]);
  CHECK(answers[0].reply.as<std::string>() == "how are you");
  CHECK(answers[1].server == at(two)[0]);
  CHECK(answers[1].reply.ok());
  const auto none = ask.survey("keep", "", 20ms);
  REQUIRE(none.size() == 2);
  CHECK(none[0].reply.outcome() == Outcome::expired);
  CHECK(none[1].reply.outcome() == Outcome::expired);
  CHECK(ask.ledger().requested == 4);
  CHECK(ask.ledger().reconciles());
}

TEST_CASE("an answer to a survey that comes too late is counted as late") {
  zmq::context_t stock;
  Stock slow(stock, zmq::socket_type::router);
  slow.raw().bind(any_port);
  Context context;
  Requester ask{context, {.connect = {slow.raw().get(zmq::sockopt::last_endpoint)}}};
  ask.wait_for_servers(1, soon);
  const auto answers = ask.survey("m", "how are you", 20ms);
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].reply.outcome() == Outcome::expired);
  const auto asked = slow.receive();
  REQUIRE(asked.size() == 4);
  slow.send({asked[0], asked[1], "", "well"});
  CHECK(eventually([&] { return ask.ledger().late == 1; }));
  CHECK(ask.ledger().reconciles());
}

TEST_CASE("a server that dies while a survey is under way is told of, and the others answer") {
  Context context;
  std::optional<Desk> one(std::in_place, context, ReplierOptions{.bind = {any_port}});
  Desk two{context, {.bind = {any_port}}};
  Requester ask{context, {.connect = both(*one, two)}};
  ask.wait_for_servers(2, soon);
  std::vector<SurveyAnswer> answers;
  std::thread asking{[&] { answers = ask.survey("keep", "", soon); }};
  REQUIRE(eventually([&] { return one->keeps() == 1 && two.keeps() == 1; }));
  std::vector<Request> held = std::move(one->kept);
  one->replier.stop(0ms);
  held.clear();  // nobody hears of that
  one.reset();
  {
    const std::scoped_lock lock(two.mutex);
    two.kept[0].reply("well");
  }
  asking.join();
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].reply.outcome() == Outcome::lost);
  CHECK(answers[1].reply.as<std::string>() == "well");
  CHECK(ask.ledger().reconciles());
}

TEST_CASE("Freelance: a requester and repliers, with failover between them") {
  const testing::Folder folder;
  const std::vector<Endpoint> places{"ipc://" + folder.path("a"), "ipc://" + folder.path("b")};
  Context context;
  std::optional<Desk> one(std::in_place, context,
                          ReplierOptions{.bind = {places[0]}, .wire = RequestWire::freelance});
  Desk two{context, {.bind = {places[1]}, .wire = RequestWire::freelance}};
  Requester ask{context,
                {.connect = places, .choice = Choice::failover, .wire = RequestWire::freelance}};
  ask.wait_for_servers(2, soon);
  CHECK(ask.request("echo", "hello", patient).get<std::string>() == "hello");
  CHECK(ask.request("fail", 1, patient).get().reason() == "no such account");
  PendingReply kept = ask.request("keep", "", again);
  REQUIRE(eventually([&] { return one->keeps() == 1; }));
  std::vector<Request> held = std::move(one->kept);
  one->replier.stop(0ms);
  held.clear();  // nobody hears of that
  one.reset();
  REQUIRE(eventually([&] { return kept.ready() || two.keeps() == 1; }));
  {
    const std::scoped_lock lock(two.mutex);
    two.kept[0].reply("from the other one");
  }
  CHECK(kept.get<std::string>() == "from the other one");
  CHECK(ask.ledger().reconciles());
}

TEST_CASE("Freelance: its repliers serve requesters that do not speak it") {
  const testing::Folder folder;
  const std::string place = "ipc://" + folder.path("a");
  Context context;
  Desk desk{context, {.bind = {place}, .wire = RequestWire::freelance}};
  Requester ask{context, {.connect = {place}}};
  CHECK(ask.request("echo", "hello", patient).get<std::string>() == "hello");
  CHECK(ask.request("fail", 1, patient).get().reason() == "no such account");
  PendingReply kept = ask.request("keep", "", patient);
  REQUIRE(eventually([&] { return desk.keeps() == 1; }));
  kept.cancel();
  REQUIRE(eventually([&] {
    const std::scoped_lock lock(desk.mutex);
    return desk.kept[0].cancelled();
  }));
}

TEST_CASE("Freelance, with implementations that know nothing of us") {
  const testing::Folder folder;
  const std::string place = "ipc://" + folder.path("foreign");
  zmq::context_t stock;
  Stock server(stock, zmq::socket_type::router);
  server.raw().set(zmq::sockopt::routing_id, place);
  server.raw().bind(place);
  Context context;
  Requester ask{context, {.connect = {place}, .wire = RequestWire::freelance}};
  PendingReply pending = ask.request("anything", "question", patient);
  const std::vector<std::string> ping = server.receive();
  REQUIRE(ping.size() == 2);
  CHECK(ping[1] == "PING");
  CHECK_FALSE(pending.ready());
  server.send({ping[0], "PONG"});
  std::vector<std::string> asked;
  std::thread waiting{[&] { pending.wait(soon); }};
  do asked = server.receive();
  while (asked.size() == 2);  // further PINGs
  REQUIRE(asked.size() == 3);
  CHECK(asked[2] == "question");
  server.send({asked[0], asked[1], "answer"});
  waiting.join();
  CHECK(pending.get<std::string>() == "answer");

  const std::string ours = "ipc://" + folder.path("ours");
  Desk desk{context, {.bind = {ours}, .wire = RequestWire::freelance}};
  Stock client(stock, zmq::socket_type::router);
  client.raw().set(zmq::sockopt::router_mandatory, true);
  client.connect(ours);
  REQUIRE(eventually([&] {
    try {
      return client.send({ours, "PING"});
    } catch (const zmq::error_t&) {
      return false;
    }
  }));
  CHECK(client.receive() == std::vector<std::string>{ours, "PONG"});
  client.send({ours, "7", "hello"});
  CHECK(client.receive() == std::vector<std::string>{ours, "7", "default hello"});
  CHECK_THROWS_AS(Replier(context, {.bind = {any_port}, .wire = RequestWire::freelance}), Error);
}

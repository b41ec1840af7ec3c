// Requesters and repliers beside stock sockets, and what neither takes from whoever sends it.
#include "support/desk.hpp"
#include "support/device_bench.hpp"
#include "support/stock.hpp"

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

TEST_CASE("a stock REP is asked, and echoes what it does not know") {
  zmq::context_t stock;
  Stock rep(stock, zmq::socket_type::rep);
  rep.raw().bind(any_port);
  Context context;
  Requester ask{context, {.connect = {rep.raw().get(zmq::sockopt::last_endpoint)}}};
  PendingReply pending = ask.request("anything", "question", {.deadline = soon});
  CHECK(rep.receive() == std::vector<std::string>{"question"});
  rep.send({"answer", "and more"});
  const Reply reply = pending.get();
  CHECK(reply.payload() == "answer");
  REQUIRE(reply.further().size() == 1);
  CHECK(text(reply.further()[0]) == "and more");
  // It is never told of a cancellation, which it would take for a request.
  PendingReply dropped = ask.request("anything", "dropped", {.deadline = soon});
  CHECK(rep.receive() == std::vector<std::string>{"dropped"});
  dropped.cancel();
  rep.send({"nobody waits"});
  PendingReply next = ask.request("anything", "next", {.deadline = soon});
  CHECK(rep.receive() == std::vector<std::string>{"next"});
  rep.send({"fine"});
  CHECK(next.get<std::string>() == "fine");
  CHECK(ask.ledger().late == 1);
}

TEST_CASE("stock REQ and DEALER are served: one frame, or a method and a frame") {
  zmq::context_t stock;
  Context context;
  Desk desk{context, {.bind = {any_port}}};
  Stock req(stock, zmq::socket_type::req);
  req.connect(at(desk)[0].str());
  req.send({"hello"});
  CHECK(req.receive() == std::vector<std::string>{"default hello"});
  req.send({"echo", "hello"});
  CHECK(req.receive() == std::vector<std::string>{"hello"});
  req.send({"two", "frames"});
  CHECK(req.receive() == std::vector<std::string>{"default two"});
  req.send({"drop", "hello"});
  CHECK(req.receive() == std::vector<std::string>{"", "let go of without an answer"});
  Stock dealer(stock, zmq::socket_type::dealer);
  dealer.connect(at(desk)[0].str());
  dealer.send({"my id", "", "echo", "hello"});
  CHECK(dealer.receive() == std::vector<std::string>{"my id", "", "hello"});
}

TEST_CASE("a replier that connects serves one stock requester that is bound, or several") {
  zmq::context_t stock;
  Context context;
  for (const bool several : {false, true}) {
    CAPTURE(several);
    // New ones each time: they would ask a replier that has just ended as well.
    Stock req(stock, zmq::socket_type::req);
    Stock dealer(stock, zmq::socket_type::dealer);
    for (Stock* one : {&req, &dealer}) one->raw().bind(any_port);
    std::vector<Endpoint> servers{Endpoint{req.raw().get(zmq::sockopt::last_endpoint)}};
    if (several) servers.emplace_back(dealer.raw().get(zmq::sockopt::last_endpoint));
    Desk desk{context, {.connect = servers}};
    REQUIRE(req.send({"echo", "hello"}));
    CHECK(req.receive() == std::vector<std::string>{"hello"});
    if (!several) continue;
    dealer.send({"my id", "", "echo", "hello"});
    CHECK(dealer.receive() == std::vector<std::string>{"my id", "", "hello"});
  }
}

TEST_CASE("broken correlation frames are refused and counted, and the good go on") {
  zmq::context_t stock;
  Context context;
  Desk desk{context, {.bind = {any_port}}};
  Stock bad(stock, zmq::socket_type::dealer);
  bad.connect(at(desk)[0].str());
  const std::vector<std::string> frames{"\xbe",
                                        "\xbe\x98\x01",
                                        std::string("\xbe\xdd\xff\xff\xff\xff", 6),
                                        "\xbe\x94\x02\x02\x01\x01",
                                        std::string("\xbe\x94\x01\x02\x00\x01", 6),
                                        "\xbe\x95\x01\x03\x01\x01\x01"};
  for (const std::string& frame : frames) bad.send({frame, "", "x"});
  bad.send({"no delimiter"});
  bad.send({"\xbe\x94\x01\x02\x01\x01", ""});  // a cancellation of what is not there
  Requester ask{context, {.connect = at(desk)}};
  CHECK(ask.request("echo", "", {.deadline = soon}).get().outcome() == Outcome::replied);
  REQUIRE(eventually([&] { return desk.replier.ledger().malformed == frames.size() + 1; }));
  CHECK(desk.replier.ledger().reconciles());

  Stock liar(stock, zmq::socket_type::router);
  liar.raw().bind(any_port);
  Requester victim{context, {.connect = {liar.raw().get(zmq::sockopt::last_endpoint)}}};
  PendingReply pending = victim.request("echo", "x", {.deadline = soon});
  const std::vector<std::string> asked = liar.receive();
  REQUIRE(asked.size() == 4);
  for (const std::string& frame : frames) liar.send({asked[0], frame, "", "lie"});
  liar.send({asked[0], "plain"});
  liar.send({asked[0], asked[1], ""});
  std::string foreign = asked[1];
  foreign[5] = static_cast<char>(foreign[5] ^ 1);  // of another requester
  liar.send({asked[0], foreign, "", "lie"});
  liar.send({asked[0], asked[1], "", "truth"});
  liar.send({asked[0], asked[1], "", "twice"});
  CHECK(pending.get<std::string>() == "truth");
  REQUIRE(eventually([&] {
    CHECK_THROWS_WITH_AS(victim.wait_for_servers(2, 1ms), doctest::Contains(": 1 of 2 after 1 ms"),
                         Error);
    return victim.ledger().late == 1;
  }));
  CHECK(victim.ledger().malformed == frames.size() + 3);
}

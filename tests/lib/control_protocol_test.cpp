#include <chrono>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/core/codec.hpp>
#include <busbar/core/control_protocol.hpp>
#include <busbar/core/error.hpp>

using busbar::Ledger;
using busbar::Multipart;
using namespace busbar::control;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

const std::string sig{signature};

std::string frames_of(const Multipart& message) {
  std::string all;
  for (const busbar::Frame& frame : message) all += "[" + std::string(busbar::text(frame)) + "]";
  return all;
}

/// The refusal of a request: `400 deadline …`.
std::string refusal_of(const Multipart& message) {
  const Decoded decoded = decode_request(message);
  if (decoded.request) return "taken";
  return std::to_string(static_cast<int>(decoded.refusal.status)) + " " + decoded.refusal.text;
}

std::string reply_error(const Multipart& message) {
  try {
    (void)decode_reply(message);
    return "taken";
  } catch (const busbar::Error& error) {
    CHECK(error.kind() == busbar::ErrorKind::refused);
    return error.what();
  }
}

bool refuses_reply(const Multipart& message, const std::string& cause) {
  const std::string error = reply_error(message);
  if (error.find(cause) == std::string::npos) MESSAGE(error);
  return error.find(cause) != std::string::npos;
}

Ledger full_ledger() {
  Ledger ledger;
  ledger.name = "orders";
  ledger.kind = "queue";
  ledger.state = "running";
  ledger.frontend.received = 10;
  ledger.frontend.received_bytes = 1ull << 40;
  ledger.frontend[busbar::Cause::malformed] = 3;
  ledger.backend.sent = 6;
  ledger.backend.sent_bytes = 60;
  ledger.backend.held = 1;
  ledger.subscriptions = {4, 3, 1};
  ledger.topics = {{"prices.eur", 7, 70}};
  ledger.peers = {{"frontend", "127.0.0.1:40312", true, 2, 1, "unknown key"}};
  ledger.dropped_topics = {{"prices.usd", 2, 20}};
  ledger.slow_peers = {"127.0.0.1:40313"};
  ledger.requests = {3, 2, 1};
  return ledger;
}

/// A ledger's map with one side's `sent` replaced by raw msgpack.
std::string body_with(const std::string& from, const std::string& to) {
  std::string body{encode(Reply{Status::ok, "", {full_ledger()}}).text(2)};
  const std::size_t at = body.find(from);
  REQUIRE(at != std::string::npos);
  return body.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a request is signature, command and deadline") {
  CHECK(frames_of(encode({Command::status, {}})) == "[BUSBAR-CTL/1][status][]");
  CHECK(frames_of(encode({Command::drain, 1500ms})) == "[BUSBAR-CTL/1][drain][1500]");
  CHECK(frames_of(encode({Command::pause, 1500ms})) == "[BUSBAR-CTL/1][pause][]");
}

TEST_CASE("every command comes out as it went in") {
  for (const Command command :
       {Command::status, Command::pause, Command::resume, Command::drain, Command::stop}) {
    const Decoded decoded = decode_request(encode({command, {}}));
    REQUIRE(decoded.request);
    CHECK(decoded.request->command == command);
    CHECK_FALSE(decoded.request->deadline);
  }
  CHECK(decode_request(encode({Command::drain, 24h})).request->deadline == 24h);
  CHECK(decode_request(encode({Command::drain, 0ms})).request->deadline == 0ms);
}

TEST_CASE("a deadline beyond a day is not sent") {
  CHECK_THROWS_AS(encode({Command::drain, 24h + 1ms}), busbar::Error);
  CHECK_THROWS_AS(encode({Command::drain, -1ms}), busbar::Error);
}

TEST_CASE("a malformed request is refused with 400 and the reason") {
  CHECK(refusal_of({}) == "400 0 frames; wanted 3: signature, command, deadline");
  CHECK(refusal_of({sig, "status"}).starts_with("400 2 frames"));
  CHECK(refusal_of({sig, "status", "", ""}).starts_with("400 4 frames"));
  CHECK(refusal_of({"BUSBAR-CTL/2", "status", ""}) ==
        "400 signature 'BUSBAR-CTL/2'; wanted BUSBAR-CTL/1");
  CHECK(refusal_of({"\x1b[2J", "status", ""}).find('\x1b') == std::string::npos);
  CHECK(refusal_of({sig, "pause", "5"}) == "400 pause takes no deadline");
  CHECK(refusal_of({sig, "stop", "5"}) == "400 stop takes no deadline");
}

TEST_CASE("a deadline that is no number of milliseconds up to a day is refused") {
  for (const char* deadline :
       {"86400001", "-1", "+1", "1.5", "5s", " 5", "5 ", "0x10", "99999999999999999999", "ten"}) {
    CHECK(refusal_of({sig, "drain", deadline}).starts_with("400 deadline '"));
  }
}

TEST_CASE("an unknown command is refused with 405 and those there are") {
  CHECK(refusal_of({sig, "reboot", ""}) ==
        "405 unknown command 'reboot'; one of status, pause, resume, drain, stop");
  CHECK(refusal_of({sig, "STATUS", ""}).starts_with("405"));
  CHECK(refusal_of({sig, "", ""}).starts_with("405"));
}

TEST_CASE("a reply with ledgers comes out as it went in") {
  const Reply reply = decode_reply(encode(Reply{Status::ok, "", {full_ledger(), Ledger{}}}));
  CHECK(reply.status == Status::ok);
  REQUIRE(reply.ledgers.size() == 2);
  const Ledger& ledger = reply.ledgers[0];
  CHECK(ledger.name == "orders");
  CHECK(ledger.kind == "queue");
  CHECK(ledger.state == "running");
  CHECK(ledger.frontend.received_bytes == 1ull << 40);
  CHECK(ledger.frontend[busbar::Cause::malformed] == 3);
  CHECK(ledger.backend.held == 1);
  CHECK(ledger.reconciles());
  CHECK(ledger.subscriptions.forwarded == 3);
  REQUIRE(ledger.topics.size() == 1);
  CHECK(ledger.topics[0].topic == "prices.eur");
  CHECK(ledger.topics[0].bytes == 70);
  REQUIRE(ledger.peers.size() == 1);
  CHECK(ledger.peers[0].connected);
  CHECK(ledger.peers[0].connections == 2);
  CHECK(ledger.peers[0].refused == 1);
  CHECK(ledger.peers[0].last_failure == "unknown key");
  REQUIRE(ledger.dropped_topics.size() == 1);
  CHECK(ledger.dropped_topics[0].topic == "prices.usd");
  CHECK(ledger.dropped_topics[0].messages == 2);
  CHECK(ledger.slow_peers == std::vector<std::string>{"127.0.0.1:40313"});
  CHECK(ledger.requests.answered == 3);
  CHECK(ledger.requests.with_workers == 2);
  CHECK(ledger.requests.unanswered == 1);
}

TEST_CASE("a refusal comes out with its code and its reason") {
  const Reply reply = decode_reply(encode(Reply{Status::unknown_command, "no such thing", {}}));
  CHECK(reply.status == Status::unknown_command);
  CHECK(reply.text == "no such thing");
  CHECK(decode_reply({sig, "400", "\x1b[2J"}).text == "\\x1b[2J");
}

TEST_CASE("what is no reply of this protocol is refused") {
  CHECK(refuses_reply({}, "0 frames; wanted 3"));
  CHECK(refuses_reply({"HTTP/1.1", "200", ""}, "signature 'HTTP/1.1'"));
  CHECK(refuses_reply({sig, "0200", "\x90"}, "unknown code '0200'"));
  CHECK(refuses_reply({sig, "500", ""}, "unknown code '500'"));
  CHECK(refuses_reply({sig, "200", ""}, "truncated"));
  CHECK(refuses_reply({sig, "200", "\x80"}, "the body is no array"));
  CHECK(refuses_reply({sig, "200", "\xdd\xff\xff\xff\xff"}, "announces 4294967295 elements"));
}

TEST_CASE("a ledger with a wrong type is refused, and the error names the key") {
  CHECK(refuses_reply({sig, "200", "\x91\x01"}, "[0] is no map"));
  CHECK(refuses_reply({sig, "200", "\x91\x80"}, "[0].name is missing"));
  CHECK(refuses_reply({sig, "200", "\x91\x81\x01\x01"}, "[0] has a key that is no string"));
  CHECK(refuses_reply({sig, "200", body_with("\xa8received\x0a", "\xa8received\xff")},
                      "[0].frontend.received is no count"));
  CHECK(refuses_reply({sig, "200", body_with("\xa4name\xa6orders", "\xa4name\xc0")},
                      "[0].name is no string"));
  CHECK(refuses_reply({sig, "200", body_with("\xa9malformed\x03", "\xa9malformed\xa0")},
                      "[0].frontend.causes.malformed is no count"));
  CHECK(refuses_reply({sig, "200",
                       body_with("\xa9"
                                 "connected\xc3",
                                 "\xa9"
                                 "connected\x01")},
                      "[0].peers[0].connected is no boolean"));
  CHECK(refuses_reply({sig, "200", body_with("\xa4kind", "\xa4name")}, "[0].name is there twice"));
}

TEST_CASE("keys and causes of a later version are passed over") {
  const std::string body = body_with("\xa4name", "\xa5later\x92\x01\xc0\xa4name");
  std::string one_more = body;
  REQUIRE(one_more[1] == '\x8b');
  one_more[1] = '\x8c';
  CHECK(reply_error({sig, "200", one_more}) == "taken");
  CHECK(reply_error({sig, "200", body_with("\xa9malformed\x03", "\xa9malformee\x03")}) == "taken");
}

TEST_CASE("a topic that is no text travels as text") {
  Ledger ledger = full_ledger();
  ledger.topics[0].topic = "\xff\x00"s;
  CHECK(decode_reply(encode(Reply{Status::ok, "", {ledger}})).ledgers[0].topics[0].topic ==
        "\\xff\\x00");
}

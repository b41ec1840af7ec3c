// What a peer that lies, cuts off or floods can do to a publisher or a subscriber: nothing but be
// counted. Good peers go on, and memory stays bounded.
#include "support/stock.hpp"

#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/core/limits.hpp>
#include <busbar/patterns/internal/subscriber_protocol.hpp>
#include <busbar/patterns/publisher.hpp>
#include <busbar/patterns/subscriber.hpp>
#include <busbar/protocol/message_frame.hpp>

using namespace busbar;
using namespace busbar::protocol;
using namespace std::chrono_literals;
using busbar::detail::Arrival;
using busbar::detail::SubscriberCounts;
using busbar::detail::SubscriberProtocol;
using busbar::testing::any_port;
using busbar::testing::eventually;
using busbar::testing::soon;
using busbar::testing::Stock;

namespace {

constexpr std::uint64_t inbox = 77;
const TimePoint start{1h};

std::string header(std::uint64_t sequence, std::uint32_t batch = 0, std::uint64_t publisher = 9,
                   std::uint32_t stream = 1) {
  return encode(
      Header{.publisher = publisher, .stream = stream, .sequence = sequence, .batch = batch});
}

/// A subscriber's machine, and what comes out of it as its shell would hand it over.
struct Machine {
  explicit Machine(detail::SubscriberProtocolOptions options = {.inbox = inbox})
      : protocol(options) {
    protocol.subscribe(TopicPattern::raw_prefix(""));
  }
  void receive(std::initializer_list<std::string_view> frames) {
    Multipart message{frames};
    protocol.receive(message, now);
    drain();
  }
  void drain() {
    while (auto* event = protocol.next()) {
      if (auto* arrival = std::get_if<Arrival>(event)) {
        std::optional<Message> message;
        while (arrival->next(message)) payloads.emplace_back(message->payload());
        protocol.counts().malformed += arrival->rest();
        protocol.counts().delivered -= arrival->rest();
      } else {
        ++gaps;
      }
      protocol.done();
    }
  }
  bool reconciles() {
    const SubscriberCounts& c = protocol.counts();
    return c.delivered == payloads.size() &&
           c.received == c.delivered + c.duplicates + c.unwanted + c.malformed + c.waiting;
  }
  void welcome(std::uint64_t publisher, std::string name, std::vector<Position> positions = {}) {
    receive({inbox_topic(inbox), encode(Welcome{.publisher = publisher,
                                                .name = std::move(name),
                                                .keeps = true,
                                                .presence = 0,
                                                .positions = std::move(positions)})});
  }

  SubscriberProtocol protocol;
  TimePoint now = start;
  std::vector<std::string> payloads;
  int gaps = 0;
};

}  // namespace

TEST_CASE(
    "broken messages are counted as malformed, each once, and the good one behind comes out") {
  const std::string huge_map =
      "t\xc1\x97\x01\x09\x01\x01\x01" + std::string(1, '\0') + "\xdf\xff\xff\xff\xff";
  const std::string deep = "t\xc1" + std::string(100'000, '\x91');
  const std::vector<std::vector<std::string_view>> bad{
      {"t\xc1\x96"},
      {"t\xc1\x96\x02\x01\x01\x01x"},  // another version
      {huge_map},
      {deep},
      {heads_topic(), ""},
      {heads_topic(), "\xbc\xdd\xff\xff\xff\xff"},
      {heads_topic(), deep},
  };
  Machine machine;
  machine.welcome(9, "");
  for (const auto& frames : bad) {
    Multipart message;
    for (const std::string_view frame : frames) message.push_back(frame);
    machine.protocol.receive(message, start);
  }
  machine.receive({inbox_topic(inbox)});
  machine.receive({inbox_topic(inbox), "t", "no header", "x"});
  CHECK(machine.protocol.counts().malformed == bad.size() + 2);
  CHECK(machine.reconciles());
  machine.receive({"t" + header(1) + "good"});
  CHECK(machine.payloads == std::vector<std::string>{"good"});
  CHECK(machine.gaps == 0);
}

TEST_CASE("a batch that lies about its length is counted by what was in it") {
  Machine machine;
  machine.welcome(9, "");
  std::string two;
  append_record(two, "one");
  append_record(two, "two");
  machine.receive({"t" + header(1, UINT32_MAX) + two});
  CHECK(machine.payloads == std::vector<std::string>{"one", "two"});
  CHECK(machine.protocol.counts().malformed == UINT32_MAX - 2);
  CHECK(machine.reconciles());

  // It overlaps with what was delivered, and breaks before that ends.
  Machine other;
  other.welcome(9, "");
  for (int i = 1; i <= 5; ++i) other.receive({"t" + header(static_cast<std::uint64_t>(i)) + "x"});
  other.receive({"t" + header(1, 10) + two});
  CHECK(other.payloads.size() == 5);
  CHECK(other.protocol.counts().malformed == 5);
  CHECK(other.protocol.counts().duplicates == 5);
  CHECK(other.reconciles());
}

TEST_CASE("user headers that are many or empty are refused before they take memory") {
  std::string many{"\xdf\x00\x10\x00\x00", 5};
  for (int i = 0; i < 1 << 20; ++i) many += "\xa0\xa0";
  std::string frame = header(1);
  frame[1] = '\x97';
  CHECK_FALSE(decode_header(frame + many));
  Headers headers;
  const std::string record = "\x92" + many + "\xc4\x01x";
  CHECK_FALSE(BatchReader{record}.next(headers));
  CHECK(headers.size() <= limits::header_bytes / 16);

  std::vector<Position> positions(100'001);
  CHECK_FALSE(decode_control(encode(Heads{9, positions})));
  positions.pop_back();
  CHECK(decode_control(encode(Heads{9, positions})));
}

TEST_CASE("welcomes of strangers without number are forgotten again, and the good one goes on") {
  Machine machine{{.inbox = inbox, .streams_max = 1000, .publishers_max = 100}};
  machine.welcome(9, "good");
  for (std::uint64_t id = 1000; id < 100'000; ++id) machine.welcome(id, "");
  for (std::uint32_t stream = 1; stream < 100'000; ++stream) {
    machine.receive({"t" + header(1, 0, 8, stream) + "x"});
  }
  machine.welcome(9, "good", {{1, 1, 1, "t"}});
  machine.receive({"t" + header(1) + "good"});
  machine.now += 1s;  // its welcome may be forgotten as well, and is waited for
  machine.protocol.tick(machine.now);
  machine.drain();
  REQUIRE_FALSE(machine.payloads.empty());
  CHECK(machine.payloads.back() == "good");
  CHECK(machine.reconciles());
}

TEST_CASE("a forged welcome and forged heads harm only the stream that they lie about") {
  Machine machine;
  machine.welcome(9, "good");
  machine.welcome(5, "good");  // says that 9 was restarted
  CHECK(machine.gaps == 1);
  machine.welcome(9, "good");
  machine.receive({"t" + header(1) + "1"});
  machine.receive({"u" + header(1, 0, 9, 2) + "2"});
  machine.receive({std::string{heads_topic()}, encode(Heads{9, {{1, 1, UINT64_MAX / 2, "t"}}})});
  for (int i = 0; i < 100; ++i) {
    machine.now += 1s;
    machine.protocol.tick(machine.now);
    machine.drain();
  }
  machine.receive({"u" + header(2, 0, 9, 2) + "3"});
  CHECK(machine.payloads == std::vector<std::string>{"1", "2", "3"});
  CHECK(machine.reconciles());
}

TEST_CASE("a stranger that fetches everything again and again costs a good one its turns only") {
  PublisherProtocol publisher{{.id = 9, .history = {.messages = 1000, .bytes = 1u << 30}}};
  Stream& stream = publisher.stream_of("t");
  for (int i = 0; i < 400; ++i) {
    const Header next = publisher.header_for(stream, 0, 0);
    Frame frame = encode_message("t", next, std::string(256u << 10, 'x'));
    publisher.keep(stream, next, frame, "", {}, start);
  }
  const auto fetch = [&](std::uint64_t by, std::uint64_t last, std::uint16_t attempt) {
    publisher.on_subscription('\1' + encode(Fetch{.inbox = by,
                                                  .publisher = 9,
                                                  .stream = 1,
                                                  .first = 1,
                                                  .last = last,
                                                  .attempt = attempt}),
                              start);
  };
  for (std::uint16_t attempt = 0; attempt < 100; ++attempt) fetch(5, UINT64_MAX / 2, attempt);
  fetch(6, 2, 0);
  int turns = 0;
  int good = 0;
  for (Multipart answer; good < 3 && publisher.next_answer(answer); ++turns) {
    good += answer.text(0) == inbox_topic(6);
  }
  CHECK(good == 3);  // two messages, and that these were all
  CHECK(turns <= 3 * 101);
}

TEST_CASE("a subscriber that asks for everything and stalls keeps no good one waiting") {
  Context context;
  Publisher numbers{context, {.bind = {any_port}, .queue = 10}};
  for (int i = 0; i < 700; ++i) (void)numbers.publish("n", std::string(20'000, 'x'));
  zmq::context_t stocks;
  Stock stranger{stocks, zmq::socket_type::sub};
  stranger.raw().set(zmq::sockopt::rcvhwm, 1);
  stranger.raw().set(zmq::sockopt::rcvbuf, 4096);
  stranger.connect(numbers.bound().front().str()).subscribe(inbox_topic(5)).subscribe("s");
  numbers.wait_for_subscribers("s", 1, soon);
  for (std::uint16_t attempt = 0; attempt < 20; ++attempt) {
    stranger.subscribe(encode(Fetch{.inbox = 5,
                                    .publisher = numbers.id(),
                                    .stream = 1,
                                    .first = 1,
                                    .last = UINT64_MAX / 2,
                                    .attempt = attempt}));
  }
  stranger.subscribe("u");
  numbers.wait_for_subscribers("u", 1, soon);  // behind the fetches
  Subscriber good{context, {.connect = numbers.bound()}};
  good.subscribe("n");
  good.wait_ready(soon);
  (void)numbers.publish("n", "hello");
  const auto message = good.receive(soon);
  REQUIRE(message);
  CHECK(message->payload() == "hello");
}

TEST_CASE("a hundred thousand presences, long topics and nonsense leave a good pair at work") {
  Context context;
  Publisher numbers{context, {.bind = {any_port}}};
  const std::string endpoint = numbers.bound().front().str();
  zmq::context_t stocks;
  Stock crowd{stocks, zmq::socket_type::xsub};
  crowd.raw().set(zmq::sockopt::sndhwm, 0);
  crowd.connect(endpoint);
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    REQUIRE(crowd.send({'\1' + encode(Presence{i, 0, 0, 0, TopicPattern::raw_prefix("n")})}));
  }
  for (const std::string nonsense : {"", "\1", "\2x", "\1\xff", "\1\xffP", "\1\xffRx", "\xff"}) {
    REQUIRE(crowd.send({nonsense}));
  }
  Stock liar{stocks, zmq::socket_type::xsub};
  liar.connect(endpoint);
  REQUIRE(liar.send({'\1' + std::string(16u << 10, 't')}));

  Subscriber good{context, {.connect = numbers.bound()}};
  std::uint64_t lost = 0;
  good.on_gap([&](const Gap& gap) { lost += gap.missing(); });
  good.subscribe("n");
  good.wait_ready(6 * soon);
  for (int i = 0; i < 1000; ++i) (void)numbers.publish("n", i);
  for (int i = 0; i < 1000; ++i) REQUIRE(good.receive(soon));
  CHECK(lost == 0);
}

TEST_CASE("a stock publisher that sends hostile headers does not stop a good one") {
  Context context;
  Publisher prices{context, {.bind = {any_port}}};
  zmq::context_t stocks;
  Stock hostile{stocks, zmq::socket_type::xpub};
  hostile.raw().bind(any_port);
  Subscriber all{
      context,
      {.connect = {prices.bound().front(), hostile.raw().get(zmq::sockopt::last_endpoint)}}};
  all.subscribe(TopicPattern::raw_prefix(""));
  all.wait_ready(soon);
  const std::vector<std::vector<std::string>> bad{
      {"t\xc1\x9f\xff\xff\xff\xffx"},
      {"t\xc1\x96\x01"},
      {std::string{heads_topic()}, "\xbc\xdf\xff\xff\xff\xff"},
  };
  // An XPUB says when the subscription to everything is there.
  while (hostile.receive().at(0) != "\1") {
  }
  for (int i = 0; i < 50; ++i) {
    for (const auto& frames : bad) REQUIRE(hostile.send(frames));
  }
  REQUIRE(hostile.send(std::vector<std::string>(limits::frames + 1, "t")));
  REQUIRE(hostile.send({std::string(1u << 20, 'p')}));  // plain: as it is
  int plain = 0;
  REQUIRE(prices.publish("t", "good") == SendResult::sent);
  int good = 0;
  while (plain + good < 2) {
    const auto message = all.receive(soon);
    REQUIRE(message);
    message->publisher() == prices.id() ? ++good : ++plain;
  }
  const SubscriberLedger ledger = all.ledger();
  CHECK(ledger.malformed == 50 * bad.size() + 1);
  CHECK(ledger.received == ledger.delivered + ledger.malformed);
}

// What a publisher tells of itself, and what it answers: by hand, in virtual time.
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/protocol/message_frame.hpp>
#include <busbar/protocol/publisher_protocol.hpp>

using namespace busbar;
using namespace busbar::protocol;
using namespace std::chrono_literals;

namespace {

using Milliseconds = std::vector<long>;

struct Sender {
  explicit Sender(PublisherProtocolOptions options) : protocol(std::move(options)) {}

  void publish(const std::string& topic, const std::string& payload = "x") {
    Stream& stream = protocol.stream_of(topic);
    const Header header = protocol.header_for(stream, 0, 0);
    Frame frame = encode_message(topic, header, payload);
    protocol.keep(stream, header, frame, payload, {}, now);
  }
  void join(std::uint64_t inbox) {
    protocol.on_subscription('\1' + encode(Presence{.inbox = inbox, .pattern = ">"}), now);
  }
  /// Runs for so long; notes which heads were told when.
  void run_for(Duration time) {
    const TimePoint end = now + time;
    while (protocol.next_deadline() <= end) {
      now = std::max(now, protocol.next_deadline());
      protocol.tick(now);
      ++wakes;
      for (Multipart answer; protocol.next_answer(answer);) {
        if (answer.text(0) != heads_topic()) continue;
        ++messages;
        const auto control = decode_control(answer.text(1));
        REQUIRE(control);
        for (const Position& position : std::get<Heads>(*control).positions) {
          CHECK(position.first == 1);
          const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now - start);
          told[position.topic].push_back(since.count());
          next[position.topic] = position.next;
        }
      }
    }
    now = end;
  }
  /// What comes for each inbox until nothing is left: its kept messages, and its welcomes.
  struct Answers {
    std::vector<std::string> payloads;
    std::vector<Welcome> welcomes;
  };
  std::map<std::string, Answers> answers() {
    std::map<std::string, Answers> all;
    for (Multipart answer; protocol.next_answer(answer);) {
      Answers& its = all[std::string{answer.text(0)}];
      if (!is_control(answer.text(1))) {
        CHECK(its.welcomes.empty());
        its.payloads.emplace_back(decode_message(answer.text(1))->payload);
      } else if (const auto control = decode_control(answer.text(1))) {
        if (const auto* welcome = std::get_if<Welcome>(&*control)) its.welcomes.push_back(*welcome);
      }
    }
    return all;
  }

  static constexpr TimePoint start{1h};
  TimePoint now = start;
  PublisherProtocol protocol;
  std::map<std::string, Milliseconds> told;
  std::map<std::string, std::uint64_t> next;
  int wakes = 0;
  int messages = 0;
};

constexpr HistoryLimits nothing_kept{.messages = 0};

}  // namespace

TEST_CASE("a head is told after pauses that double up to a minute, and each minute for ever") {
  Sender sender{{.id = 9, .history = nothing_kept}};
  sender.publish("t");
  sender.run_for(5min);
  CHECK(sender.told["t"] ==
        Milliseconds{100, 1100, 3100, 7100, 15'100, 31'100, 63'100, 123'100, 183'100, 243'100});
  CHECK(sender.wakes == 10);
  CHECK(sender.next["t"] == 2);
  // Another message begins again; while they follow one another nothing is told.
  sender.told.clear();
  for (int i = 0; i < 100; ++i) {
    sender.publish("t");
    sender.run_for(10ms);
  }
  CHECK(sender.told.empty());
  sender.run_for(1500ms);
  CHECK(sender.told["t"].size() == 2);
  CHECK(sender.next["t"] == 102);
}

TEST_CASE("one message tells of all streams that are due, however many and whenever they began") {
  Sender sender{{.id = 9, .history = nothing_kept}};
  for (int i = 0; i < 1000; ++i) {
    sender.publish("t" + std::to_string(i));
    sender.run_for(7ms);
  }
  sender.run_for(5min);
  CHECK(sender.told.size() == 1000);
  for (const auto& [topic, times] : sender.told) CHECK(times.size() >= 10);
  // No stream waits longer than the pauses; so all is told at few times.
  for (const auto& [topic, times] : sender.told) CHECK(times.at(1) <= 7100 + 1100);
  const int before = sender.messages;
  sender.wakes = 0;
  sender.run_for(10min);
  CHECK(sender.messages - before == 10);
  CHECK(sender.wakes == 10);
}

TEST_CASE("a stream that was forgotten is told of no more") {
  Sender sender{{.id = 9, .history = nothing_kept, .streams_max = 2}};
  for (const char* topic : {"a", "b", "c"}) sender.publish(topic);
  sender.run_for(2min);
  CHECK_FALSE(sender.told.contains("a"));
  CHECK(sender.told.contains("b"));
  CHECK(sender.told.contains("c"));
}

TEST_CASE("however many join at once and however much is kept, each gets all and its welcome") {
  constexpr std::size_t kept = 120'000;
  Sender sender{{.id = 9,
                 .late_join = LateJoin::history,
                 .history = {.messages = kept, .bytes = 1u << 30, .age = 24h}}};
  for (std::size_t i = 0; i < kept; ++i) sender.publish(i % 2 == 0 ? "a" : "b");
  for (std::uint64_t inbox = 1; inbox <= 5; ++inbox) sender.join(inbox);
  const auto answers = sender.answers();
  CHECK(answers.size() == 5);
  for (const auto& [inbox, its] : answers) {
    CHECK(its.payloads.size() == kept);
    REQUIRE(its.welcomes.size() == 1);
    CHECK(its.welcomes[0].positions.size() == 2);
    for (const Position& position : its.welcomes[0].positions) CHECK(position.first == 1);
  }
}

TEST_CASE("many join a publisher of large messages, and none gets less than another") {
  Sender sender{{.id = 9, .late_join = LateJoin::history}};
  for (int i = 0; i < 200; ++i) sender.publish("t", std::string(64u << 10, 'x'));
  for (std::uint64_t inbox = 1; inbox <= 20; ++inbox) sender.join(inbox);
  const auto answers = sender.answers();
  for (const auto& [inbox, its] : answers) {
    CHECK(its.payloads.size() == 200);
    CHECK(its.welcomes.size() == 1);
  }
  CHECK(answers.size() == 20);
}

TEST_CASE("what a stream sent before it was forgotten is not told to late joiners") {
  Sender sender{{.id = 9, .late_join = LateJoin::history, .streams_max = 2}};
  for (const char* topic : {"a", "b", "c"}) sender.publish(topic, topic);
  sender.join(1);
  const auto its = sender.answers().at(inbox_topic(1));
  CHECK(its.payloads == std::vector<std::string>{"b", "c"});
}

TEST_CASE("a presence for one publisher is answered by it, and counts for nobody") {
  Sender sender{{.id = 9}};
  Presence asked{.inbox = 1, .number = 4, .attempt = 1, .publisher = 8, .pattern = ">"};
  sender.protocol.on_subscription('\1' + encode(asked), sender.now);
  CHECK(sender.answers().empty());
  asked.publisher = 9;
  sender.protocol.on_subscription('\1' + encode(asked), sender.now);
  CHECK(sender.answers().at(inbox_topic(1)).welcomes.at(0).presence == 4);
  CHECK(sender.protocol.subscribers_of("t", sender.now) == 0);
}

TEST_CASE("what is withdrawn before its turn is not answered") {
  Sender sender{{.id = 9}};
  sender.publish("t");
  const std::string fetch = encode(Fetch{1, 9, 1, 1, 1, 0});
  sender.protocol.on_subscription('\1' + fetch, sender.now);
  sender.protocol.on_subscription('\0' + fetch, sender.now);
  CHECK(sender.answers().empty());
}

TEST_CASE("last values are kept within a bound of bytes, those used last before all others") {
  Sender sender{
      {.id = 9, .late_join = LateJoin::last_value, .history = {.messages = 0, .bytes = 100'000}}};
  for (int i = 0; i < 100; ++i) {
    sender.publish("t" + std::to_string(i), std::string(10'000, 'x'));
    CHECK(sender.protocol.last_value_bytes() <= 100'000);
  }
  sender.publish("t91", "new");
  sender.publish("huge", std::string(100'001, 'x'));  // goes itself, with all others
  sender.publish("after", "small");
  sender.join(1);
  auto its = sender.answers().at(inbox_topic(1));
  CHECK(its.payloads == std::vector<std::string>{"small"});
  for (const Position& position : its.welcomes.at(0).positions) {
    CHECK(position.next - position.first == (position.topic == "after" ? 1 : 0));
  }
  CHECK(sender.protocol.last_value_bytes() > 0);
  CHECK(sender.protocol.last_value_bytes() < 100);
}

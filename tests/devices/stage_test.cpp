#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/core/error.hpp>
#include <busbar/core/limits.hpp>
#include <busbar/devices/internal/stage_published.hpp>
#include <busbar/devices/stage.hpp>

using namespace busbar;
using namespace std::chrono_literals;

namespace {

/// A pipeline, and what it makes of messages.
struct Pipe {
  explicit Pipe(const std::vector<Stage>& stages) : pipeline(stages, clock) {}

  std::optional<Cause> refusal(Multipart message) { return pipeline.apply(message, 0); }
  bool passes(std::string_view topic) { return !refusal({topic, "payload"}); }
  std::string topic_of(std::string_view topic) {
    Multipart message{topic, "payload"};
    REQUIRE_FALSE(pipeline.apply(message, 0));
    return std::string{message.text(0)};
  }
  /// The payload behind an envelope and a topic, which must stay as they are.
  std::string payload_of(std::string_view payload) {
    Multipart message{"id", "", "topic", payload};
    REQUIRE_FALSE(pipeline.apply(message, 2));
    REQUIRE(message.size() == 4);
    CHECK(message.text(0) == "id");
    CHECK(message.text(2) == "topic");
    return std::string{message.text(3)};
  }

  ManualClock clock;
  StagePipeline pipeline;
};

using Prefixes = std::vector<std::string>;

/// Every text of up to `length` letters of the alphabet, the empty one included.
std::vector<std::string> words(std::string_view alphabet, std::size_t length) {
  std::vector<std::string> all{""};
  for (std::size_t start = 0, round = 0; round < length; ++round) {
    const std::size_t end = all.size();
    for (; start < end; ++start) {
      for (const char c : alphabet) all.push_back(all[start] + c);
    }
  }
  return all;
}

/// Nothing that a subscriber asked for may be missing from what the publishers are asked for.
void check_against_oracle(const std::vector<Stage>& stages) {
  Pipe pipe{stages};
  const std::vector<std::string> texts = words("ab.", 5);
  std::vector<std::string> renamed;
  for (const std::string& topic : texts) renamed.push_back(pipe.topic_of(topic));
  for (const std::string& prefix : texts) {
    const Prefixes asked = pipe.pipeline.upstream(prefix);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (!renamed[i].starts_with(prefix)) continue;
      const bool comes = std::any_of(asked.begin(), asked.end(), [&](const std::string& upstream) {
        return texts[i].starts_with(upstream);
      });
      if (!comes) FAIL(stages[0].text << ": '" << texts[i] << "' is missed by '" << prefix << "'");
    }
  }
}

std::string nested(char open, char close, std::size_t depth) {
  return std::string(depth, open) + std::string(depth, close);
}

std::string why(std::string_view text) {
  try {
    (void)parse_stage(text);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    CHECK_FALSE(error.remedy().empty());
    return error.what();
  }
  FAIL("'" << text << "' was taken");
  return {};
}

}  // namespace

TEST_CASE("only lets the topics of its patterns through") {
  Pipe pipe{{only({"prices.>", "trades.*.eur"})}};
  CHECK(pipe.passes("prices.eur"));
  CHECK(pipe.passes("trades.a.eur"));
  CHECK(pipe.refusal({"prices", "payload"}) == Cause::topic_filter);
  CHECK(pipe.refusal({"trades.a.usd", "payload"}) == Cause::topic_filter);
  CHECK(pipe.refusal({}) == Cause::topic_filter);
}

TEST_CASE("only without a pattern is refused") {
  CHECK_THROWS_AS((void)only(std::vector<TopicPattern>{}), Error);
}

TEST_CASE("rename changes whole words at the beginning of a topic, and nothing else") {
  Pipe pipe{{busbar::rename("prices", "fx.live")}};
  CHECK(pipe.topic_of("prices") == "fx.live");
  CHECK(pipe.topic_of("prices.eur.usd") == "fx.live.eur.usd");
  CHECK(pipe.topic_of("prices2") == "prices2");
  CHECK(pipe.topic_of("old.prices") == "old.prices");
  CHECK(pipe.topic_of("") == "");
}

TEST_CASE("rename asks the publishers for what becomes the wanted topic, and for no more") {
  const Pipe pipe{{busbar::rename("prices", "fx")}};
  const auto upstream = [&](std::string_view prefix) { return pipe.pipeline.upstream(prefix); };
  CHECK(upstream("") == Prefixes{""});
  CHECK(upstream("f") == Prefixes{"f", "prices"});
  CHECK(upstream("fx") == Prefixes{"fx", "prices"});
  CHECK(upstream("fx.") == Prefixes{"fx.", "prices."});
  CHECK(upstream("fx.eur") == Prefixes{"fx.eur", "prices.eur"});
  CHECK(upstream("fxa") == Prefixes{"fxa"});
  CHECK(upstream("prices") == Prefixes{"prices"});
  CHECK(upstream("prices.eur").empty());
}

TEST_CASE("no subscription misses a renamed topic: every pair of short texts") {
  for (const auto& [from, to] : std::vector<std::pair<const char*, const char*>>{{"a", "b"},
                                                                                 {"a", "a"},
                                                                                 {"a", "ab"},
                                                                                 {"ab", "a"},
                                                                                 {"a", "a.b"},
                                                                                 {"a.b", "a"},
                                                                                 {"a.b", "b"},
                                                                                 {"b", "a.a"},
                                                                                 {"a.a", "a.b"}}) {
    check_against_oracle({busbar::rename(from, to)});
  }
}

TEST_CASE("no subscription misses a topic that is renamed several times") {
  check_against_oracle({busbar::rename("a", "b"), busbar::rename("b", "a")});
  check_against_oracle(
      {busbar::rename("a", "b"), busbar::rename("b", "b.a"), busbar::rename("b.a", "a.b")});
  check_against_oracle(
      {busbar::rename("a.b", "b"), busbar::rename("b", "a"), busbar::rename("a", "a.b")});
}

TEST_CASE(
    "a subscription never becomes more prefixes, or longer ones, than the publishers can take") {
  std::vector<Stage> stages;
  for (char c = 'a'; c <= 'z'; ++c) stages.push_back(busbar::rename(std::string{"x."} + c, "x"));
  CHECK(Pipe{stages}.pipeline.upstream("x.q").size() <= 64);

  const std::string longest(limits::topic_bytes - 2, 'y');
  const Pipe lengthens{{busbar::rename(longest, "x")}};
  for (const std::string& prefix : lengthens.pipeline.upstream("x.abcdef")) {
    CHECK(prefix.size() <= limits::topic_bytes);
  }
}

TEST_CASE("JSON becomes msgpack and comes back") {
  Pipe there{{json_to_msgpack()}};
  Pipe back{{msgpack_to_json()}};
  CHECK(there.payload_of(R"({"a":1})") ==
        "\x81\xa1"
        "a\x01");
  for (const char* json : {"null", "true", "-1", "18446744073709551615", "1.5", R"("ä\n")", "[]",
                           "{}", R"({"a":[1,{"b":null}],"c":"d"})"}) {
    CAPTURE(json);
    CHECK(back.payload_of(there.payload_of(json)) == json);
  }
}

TEST_CASE("what is no JSON is refused") {
  Pipe pipe{{json_to_msgpack()}};
  for (const std::string& payload :
       {std::string{}, std::string{"{"}, std::string{"{} {}"}, std::string{"nan"},
        std::string{"1e999"}, std::string{"\"\xff\""}, std::string{"\0", 1}, nested('[', ']', 33),
        nested('[', ']', 100'000), std::string(100'000, '['), std::string(100'000, '{')}) {
    CHECK(pipe.refusal({"topic", payload}) == Cause::not_translatable);
  }
  CHECK_FALSE(pipe.refusal({"topic", nested('[', ']', 32)}));
  CHECK_FALSE(pipe.refusal({"topic", "\"" + std::string(100, '[') + "\\\"\""}));
  CHECK(pipe.refusal({}) == Cause::not_translatable);
}

TEST_CASE("what has no JSON form is refused") {
  using namespace std::string_literals;
  Pipe pipe{{msgpack_to_json()}};
  const std::string float_nan = "\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"s;
  for (const std::string& payload :
       {""s, "\xc1"s, "\x01\x01"s, "\xdd\xff\xff\xff\xff"s, "\xdf\xff\xff\xff\xff"s,
        "\xdb\xff\xff\xff\xff"s, "\xc6\xff\xff\xff\xff"s, std::string(33, '\x91') + "\xc0"s,
        std::string(100'000, '\x91'), std::string(100'000, '\x81'), "\xc4\x01x"s, "\x91\xc4\x01x"s,
        "\x81\x01\x01"s, "\xd4\x01x"s, "\xa1\xff"s, float_nan, "\x91"s + float_nan}) {
    CHECK(pipe.refusal({"topic", payload}) == Cause::not_translatable);
  }
  CHECK_FALSE(pipe.refusal({"topic", std::string(31, '\x91') + "\xc0"s}));
}

TEST_CASE("a payload above 8 MiB is not translated") {
  const std::string large = "\"" + std::string((8u << 20) - 1, 'x') + "\"";
  CHECK(Pipe{{json_to_msgpack()}}.refusal({"topic", large}) == Cause::too_large);
  CHECK(Pipe{{msgpack_to_json()}}.refusal({"topic", large}) == Cause::too_large);
}

TEST_CASE("sample lets the first of each n messages through") {
  Pipe pipe{{sample(3)}};
  std::string passed;
  for (int i = 0; i < 7; ++i) passed += pipe.passes("topic") ? '1' : '0';
  CHECK(passed == "1001001");
  CHECK(pipe.refusal({"topic"}) == Cause::sampled_out);
  CHECK_THROWS_AS((void)sample(0), Error);
}

TEST_CASE("rate-limit lets a burst through, and then what the time has brought") {
  Pipe pipe{{rate_limit(10, 1s)}};
  const auto passed = [&](int tries) {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += pipe.passes("topic") ? 1 : 0;
    return count;
  };
  CHECK(passed(20) == 10);
  CHECK(pipe.refusal({"topic"}) == Cause::rate_limited);
  pipe.clock.advance(500ms);
  CHECK(passed(20) == 5);
  pipe.clock.advance(1h);
  CHECK(passed(20) == 10);
  for (int i = 0; i < 100; ++i) {
    pipe.clock.advance(1ms);
    if (i < 99) continue;
    CHECK(passed(20) == 1);
  }
  CHECK_THROWS_AS((void)rate_limit(0), Error);
  CHECK_THROWS_AS((void)rate_limit(1, 0ms), Error);
}

TEST_CASE("stages work in the order given, and the first refusal counts") {
  Pipe pipe{{busbar::rename("prices", "fx"), only(TopicPattern{"fx.>"}), sample(2)}};
  CHECK(pipe.topic_of("prices.eur") == "fx.eur");
  CHECK(pipe.refusal({"prices"}) == Cause::topic_filter);
  CHECK(pipe.refusal({"fx.eur"}) == Cause::sampled_out);
  CHECK(Pipe{{}}.pipeline.empty());
  CHECK_FALSE(pipe.pipeline.empty());
}

TEST_CASE("a stage is read from its own text") {
  const std::vector<Stage> stages{
      only(TopicPattern{"prices.>"}),
      only({TopicPattern{"a.*.c"}, TopicPattern::raw_prefix("pri"), TopicPattern{">"}}),
      only(TopicPattern::raw_prefix("")),
      only(TopicPattern::raw_prefix(std::string_view{"a b\\*\0\xff\"", 8})),
      busbar::rename("prices", "fx.live"),
      json_to_msgpack(),
      msgpack_to_json(),
      sample(10),
      rate_limit(1000),
      rate_limit(5, 1min),
      rate_limit(7, 1500ms)};
  for (const Stage& stage : stages) {
    CAPTURE(stage.text);
    const Stage again = parse_stage(stage.text);
    CHECK(again.text == stage.text);
    CHECK(again.needs_topic == stage.needs_topic);
  }
  CHECK(stages[0].text == "only prices.>");
  CHECK(stages[8].text == "rate-limit 1000/s");
  CHECK(stages[10].text == "rate-limit 7/1500ms");
  CHECK(parse_stage(" rate-limit\t60/1min ").text == "rate-limit 60/min");
}

TEST_CASE("a raw prefix that was written as text matches the bytes it stands for") {
  Pipe pipe{{parse_stage(R"(only a\x20b** c**)")}};
  CHECK(pipe.passes("a b and more"));
  CHECK(pipe.passes("c"));
  CHECK_FALSE(pipe.passes("ab"));
}

TEST_CASE("a stage that cannot be read is refused with its cause") {
  CHECK(why("").find("only PATTERN") != std::string::npos);
  CHECK(why("onyl prices").find("no stage begins like this") != std::string::npos);
  CHECK(why("only").find("no pattern") != std::string::npos);
  CHECK(why("only a..b").find("an empty word") != std::string::npos);
  CHECK(why("only a\\xg1**").find("starts no \\xNN") != std::string::npos);
  CHECK(why("only a\\x1**").find("starts no \\xNN") != std::string::npos);
  CHECK(why("only a\\**").find("starts no \\xNN") != std::string::npos);
  CHECK(why("rename a").find("too short") != std::string::npos);
  CHECK(why("rename a b c").find("too long") != std::string::npos);
  CHECK(why("rename a *").find("for patterns") != std::string::npos);
  CHECK(why("json-to-msgpack fast").find("too long") != std::string::npos);
  CHECK(why("sample 0").find("no number") != std::string::npos);
  CHECK(why("sample -1").find("no number") != std::string::npos);
  CHECK(why("sample 99999999999999999999").find("no number") != std::string::npos);
  CHECK(why("rate-limit 10").find("no time to count in") != std::string::npos);
  CHECK(why("rate-limit 10/").find("is no time") != std::string::npos);
  CHECK(why("rate-limit 10/0s").find("is no time") != std::string::npos);
  CHECK(why("rate-limit 10/25h").find("is no time") != std::string::npos);
  CHECK(why("rate-limit x/s").find("no number") != std::string::npos);
}

TEST_CASE("subscribers hear of the streams that come to them only, by the topics that they know") {
  const Pipe pipe{{only("prices.>"), busbar::rename("prices", "fx")}};
  using protocol::Position;
  const std::vector<Position> all{
      {1, 3, 8, "prices.eur"}, {2, 1, 5, "news"}, {3, 1, 2, "prices." + std::string(230, 'x')}};
  const auto names = [&](const protocol::Control& control) {
    Multipart message{"inbox",
                      std::visit([](const auto& known) { return encode(known); }, control)};
    detail::rename_streams(pipe.pipeline, message);
    const auto read = protocol::decode_control(message.text(1));
    REQUIRE(read);
    const auto* const heads = std::get_if<protocol::Heads>(&*read);
    const auto& left = heads ? heads->positions : std::get<protocol::Welcome>(*read).positions;
    std::vector<std::string> topics;
    for (const Position& position : left) topics.push_back(position.topic);
    CHECK(left.at(0).next == 8);
    return topics;
  };
  const std::vector<std::string> expected{"fx.eur", "fx." + std::string(230, 'x')};
  CHECK(names(protocol::Heads{9, all}) == expected);
  CHECK(names(protocol::Welcome{9, "name", true, 0, all}) == expected);
  const Pipe longer{{busbar::rename("prices", "a.longer.name")}};
  Multipart heads{"", encode(protocol::Heads{9, all})};
  detail::rename_streams(longer.pipeline, heads);
  const auto read = protocol::decode_control(heads.text(1));
  REQUIRE(read);  // what gets too long for a topic does not pass
  CHECK(std::get<protocol::Heads>(*read).positions.size() == 2);
}

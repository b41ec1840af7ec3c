#include <string>

#include <doctest/doctest.h>

#include <busbar/core/error.hpp>
#include <busbar/core/limits.hpp>
#include <busbar/core/topic.hpp>

using busbar::Error;
using busbar::Topic;
using busbar::TopicPattern;

namespace {

template <class Subject>
std::string cause_of(const std::string& text) {
  try {
    const Subject subject{text};
    return "taken";
  } catch (const Error& error) {
    CHECK(error.kind() == busbar::ErrorKind::usage);
    return error.cause();
  }
}

bool matches(const std::string& pattern, const std::string& topic) {
  return TopicPattern{pattern}.matches(topic);
}

}  // namespace

TEST_CASE("a topic is words separated by dots") {
  CHECK(Topic{"prices.eur.usd"}.str() == "prices.eur.usd");
  CHECK(Topic{"prix.café/été-1"}.str() == "prix.café/été-1");
  CHECK(Topic{std::string(240, 'a')}.str().size() == busbar::limits::topic_bytes);
  CHECK(Topic{"a"} == Topic{"a"});
}

TEST_CASE("a topic that is none is refused with what is wrong") {
  CHECK(cause_of<Topic>("") == "empty");
  CHECK(cause_of<Topic>(std::string(241, 'a')) == "longer than 240 bytes");
  const std::string empty_word = "an empty word (a dot at an end, or two in a row)";
  for (const char* text : {".", ".a", "a.", "a..b"}) CHECK(cause_of<Topic>(text) == empty_word);
  CHECK(cause_of<Topic>("a b") == "white space");
  CHECK(cause_of<Topic>("a\tb") == "white space");
  CHECK(cause_of<Topic>("a\xc2\xa0"
                        "b") == "white space");
  CHECK(cause_of<Topic>("a\x01") == "a control character");
  CHECK(cause_of<Topic>(std::string("a\0", 2)) == "a control character");
  CHECK(cause_of<Topic>("a\xff") == "no well-formed UTF-8");
  CHECK(cause_of<Topic>("a.*") == "`*` and `>` are for patterns");
  CHECK(cause_of<Topic>("a>") == "`*` and `>` are for patterns");
}

TEST_CASE("a pattern is exact by default") {
  CHECK(matches("tx", "tx"));
  CHECK_FALSE(matches("tx", "tx_trytes"));
  CHECK_FALSE(matches("tx", "tx.trytes"));
  CHECK_FALSE(matches("tx", "t"));
  CHECK_FALSE(matches("tx", ""));
}

TEST_CASE("a star stands for one word") {
  CHECK(matches("prices.*.usd", "prices.eur.usd"));
  CHECK_FALSE(matches("prices.*.usd", "prices.usd"));
  CHECK_FALSE(matches("prices.*.usd", "prices.eur.x.usd"));
  CHECK_FALSE(matches("prices.*.usd", "prices.eur.usd.x"));
  CHECK(matches("*", "prices"));
  CHECK_FALSE(matches("*", "prices.eur"));
  CHECK(matches("*.*", "a.b"));
}

TEST_CASE("an angle bracket stands for one or more words at the end") {
  CHECK(matches("prices.>", "prices.eur"));
  CHECK(matches("prices.>", "prices.eur.usd.spot"));
  CHECK_FALSE(matches("prices.>", "prices"));
  CHECK_FALSE(matches("prices.>", "pricesx.eur"));
  CHECK(matches("*.eur.>", "prices.eur.usd"));
}

TEST_CASE("what is no topic matches only everything and raw prefixes") {
  for (const std::string& topic :
       {std::string("a."), std::string("a..b"), std::string("a.b c"), std::string("a.\xff"),
        std::string("a.*"), "a." + std::string(240, 'x')}) {
    CHECK_FALSE(matches("a.>", topic));
    CHECK_FALSE(matches("a.*", topic));
    CHECK(matches(">", topic));
    CHECK(TopicPattern::raw_prefix("a.").matches(topic));
  }
  CHECK(matches(">", ""));
}

TEST_CASE("a raw prefix matches as ZMQ_SUBSCRIBE does") {
  const TopicPattern raw = TopicPattern::raw_prefix("tx");
  CHECK(raw.matches("tx"));
  CHECK(raw.matches("tx_trytes"));
  CHECK_FALSE(raw.matches("t"));
  CHECK(TopicPattern::raw_prefix("").matches(""));
  CHECK(raw.str() == "tx (raw)");
  CHECK(TopicPattern::raw_prefix("\x01").str() == "\\x01 (raw)");
  CHECK(raw != TopicPattern{"tx"});
  CHECK_FALSE(TopicPattern::raw_prefix("*").matches("a"));
}

TEST_CASE("a raw prefix that libzmq would mis-encode is refused") {
  CHECK_NOTHROW(TopicPattern::raw_prefix(std::string(240, 'x')));
  CHECK_THROWS_AS(TopicPattern::raw_prefix(std::string(241, 'x')), Error);
}

TEST_CASE("the prefix for ZMQ_SUBSCRIBE ends at the first wildcard") {
  CHECK(TopicPattern{"prices.eur"}.prefix() == "prices.eur");
  CHECK(TopicPattern{"prices.*.usd"}.prefix() == "prices.");
  CHECK(TopicPattern{"prices.>"}.prefix() == "prices.");
  CHECK(TopicPattern{">"}.prefix().empty());
  CHECK(TopicPattern::raw_prefix("pri").prefix() == "pri");
  CHECK(TopicPattern{"prices.*.usd"}.str() == "prices.*.usd");
}

TEST_CASE("a pattern that is none is refused with what is wrong") {
  CHECK(cause_of<TopicPattern>("a.>.b") == "`>` may only be the last word");
  CHECK(cause_of<TopicPattern>("a*") == "`*` and `>` stand for whole words");
  CHECK(cause_of<TopicPattern>("a.b>") == "`*` and `>` stand for whole words");
  CHECK(cause_of<TopicPattern>("**") == "`*` and `>` stand for whole words");
  CHECK(cause_of<TopicPattern>("") == "empty");
  CHECK(cause_of<TopicPattern>("a. *") == "white space");
  CHECK(cause_of<TopicPattern>(std::string(241, 'x')) == "longer than 240 bytes");
}

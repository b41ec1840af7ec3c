// Every vector of tests/vectors/pubsub.txt, both ways: an independent decoder reads the same file.
#include "support/vectors.hpp"

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/protocol/message_frame.hpp>
#include <busbar/protocol/pubsub_control.hpp>

using namespace busbar;
using namespace busbar::protocol;

namespace {

struct Vector : TestVector {
  std::string text(const std::string& key) const {
    const auto values = all(key);
    REQUIRE(values.size() == 1);
    return values[0];
  }
  std::uint64_t number(const std::string& key) const { return std::stoull(text(key)); }
  template <class Number>
  Number small(const std::string& key) const {
    return static_cast<Number>(number(key));
  }
  std::vector<Position> positions() const {
    std::vector<Position> read;
    for (const std::string& value : all("position")) {
      std::istringstream pair{value};
      Position& position = read.emplace_back();
      pair >> position.stream >> position.first >> position.next >> position.topic;
    }
    return read;
  }
};

struct Record {
  std::string payload;
  Headers headers;
  friend bool operator==(const Record&, const Record&) = default;
};

std::vector<Record> records_of(const Vector& vector) {
  std::vector<Record> records;
  for (const auto& [key, value] : vector.lines) {
    if (key == "record") records.push_back({TestVector::bytes_of(value), {}});
    const std::size_t space = value.find(' ');
    if (key == "header") {
      records.back().headers.emplace_back(value.substr(0, space), value.substr(space + 1));
    }
  }
  return records;
}

void check_message(const Vector& vector, const std::string& frame, bool as_we_write) {
  const auto records = records_of(vector);
  Header header{.publisher = vector.number("publisher"),
                .stream = vector.small<std::uint32_t>("stream"),
                .sequence = vector.number("sequence"),
                .time = vector.number("time"),
                .batch = vector.small<std::uint32_t>("batch")};
  std::string payload;
  if (header.batch == 0) {
    header.headers = records.at(0).headers;
    payload = records[0].payload;
  } else {
    for (const Record& record : records) append_record(payload, record.payload, record.headers);
  }
  const std::string topic = vector.text("topic");
  if (as_we_write) {
    CHECK(text(encode_message(topic, header, payload)) == frame);
  }
  const auto decoded = decode_message(frame);
  REQUIRE(decoded);
  CHECK(decoded->topic == topic);
  CHECK(topic_of(frame) == topic);
  CHECK(encode(decoded->header) == encode(header));
  CHECK(decoded->payload == payload);
  CHECK(messages_in(frame) == header.messages());
  CHECK(text(with_header_of(*decoded, topic, payload)) == frame);
  if (header.batch == 0) return;
  std::vector<Record> read;
  for (BatchReader reader{decoded->payload}; !reader.at_end();) {
    Record& record = read.emplace_back();
    const auto value = reader.next(record.headers);
    REQUIRE(value);
    record.payload = *value;
  }
  CHECK(read == records);
}

/// What is encoded is what stands in the file, and what stands there decodes and encodes to itself.
void check_request(const Request& request, const std::string& frame) {
  const auto text = [](const auto& known) { return encode(known); };
  CHECK(std::visit(text, request) == frame);
  const auto decoded = decode_request(frame);
  REQUIRE(decoded);
  CHECK(decoded->index() == request.index());
  CHECK(std::visit(text, *decoded) == frame);
}

void check_control(const std::string& topic, const Control& control,
                   const std::vector<std::string>& frames) {
  const auto text = [](const auto& known) { return encode(known); };
  CHECK(std::vector{topic, std::visit(text, control)} == frames);
  const auto decoded = decode_control(frames.at(1));
  REQUIRE(decoded);
  CHECK(decoded->index() == control.index());
  CHECK(std::visit(text, *decoded) == frames[1]);
}

void check_vector(const Vector& vector) {
  const std::string kind = vector.text("kind");
  const auto frames = vector.bytes("frame");
  const auto inbox = [&] { return vector.number("inbox"); };
  const auto publisher = [&] { return vector.number("publisher"); };
  if (kind == "message" || kind == "message_read") {
    check_message(vector, frames.at(0), kind == "message");
  } else if (kind == "refused_message") {
    CHECK_FALSE(decode_message(frames.at(0)));
  } else if (kind == "presence") {
    const bool raw = !vector.all("prefix").empty();
    const auto pattern = raw ? TopicPattern::raw_prefix(TestVector::bytes_of(vector.text("prefix")))
                             : TopicPattern{vector.text("pattern")};
    check_request(Presence{.inbox = inbox(),
                           .number = vector.small<std::uint32_t>("number"),
                           .attempt = vector.small<std::uint16_t>("attempt"),
                           .publisher = publisher(),
                           .pattern = pattern},
                  frames.at(0));
  } else if (kind == "fetch") {
    check_request(Fetch{.inbox = inbox(),
                        .publisher = publisher(),
                        .stream = vector.small<std::uint32_t>("stream"),
                        .first = vector.number("first"),
                        .last = vector.number("last"),
                        .attempt = vector.small<std::uint16_t>("attempt")},
                  frames.at(0));
  } else if (kind == "welcome") {
    check_control(inbox_topic(inbox()),
                  Welcome{.publisher = publisher(),
                          .name = vector.text("text"),
                          .keeps = vector.number("keeps") == 1,
                          .presence = vector.small<std::uint32_t>("presence"),
                          .positions = vector.positions()},
                  frames);
  } else if (kind == "heads") {
    check_control(std::string{heads_topic()}, Heads{publisher(), vector.positions()}, frames);
  } else if (kind == "fetched") {
    check_control(inbox_topic(inbox()),
                  Fetched{.publisher = publisher(),
                          .stream = vector.small<std::uint32_t>("stream"),
                          .last = vector.number("last"),
                          .kept_from = vector.number("kept_from")},
                  frames);
  } else if (kind == "refused_header") {
    CHECK_FALSE(decode_header(frames.at(0)));
  } else if (kind == "refused_request") {
    CHECK_FALSE(decode_request(frames.at(0)));
  } else if (kind == "refused_control") {
    CHECK_FALSE(decode_control(frames.at(0)));
  } else {
    FAIL("no such kind: " << kind);
  }
}

}  // namespace

TEST_CASE("the vectors of publish and subscribe are encoded, decoded and refused as they stand") {
  std::set<std::string> kinds;
  for (TestVector& read : read_test_vectors("pubsub.txt")) {
    const Vector vector{std::move(read)};
    const std::string name = vector.text("name");
    CAPTURE(name);
    kinds.insert(vector.text("kind"));
    check_vector(vector);
  }
  CHECK(kinds.size() == 11);
}

#include <string>

#include <doctest/doctest.h>

#include <busbar/core/limits.hpp>
#include <busbar/protocol/message_frame.hpp>

using namespace busbar;
using namespace busbar::protocol;

namespace {

const Header plain{.publisher = 0xfedcba9876543210,
                   .stream = 70'000,
                   .sequence = 1'000'000'007,
                   .time = 1'700'000'000'000'000};

void check_same(const Header& a, const Header& b) {
  CHECK(a.publisher == b.publisher);
  CHECK(a.stream == b.stream);
  CHECK(a.sequence == b.sequence);
  CHECK(a.time == b.time);
  CHECK(a.batch == b.batch);
  CHECK(a.headers == b.headers);
}

}  // namespace

TEST_CASE("a header comes back as it was written, and is small") {
  const std::string frame = encode(plain);
  CHECK(frame.size() == short_header_size);
  check_same(decode_header(frame).value(), plain);
  char room[short_header_size];
  CHECK(std::string_view(room, encode_short(plain, room)) == frame);

  Header batch = plain;
  batch.batch = 120;
  check_same(decode_header(encode(batch)).value(), batch);

  Header with_headers = plain;
  with_headers.headers = {{"trace", "abc"}, {"", std::string(300, 'x')}};
  check_same(decode_header(encode(with_headers)).value(), with_headers);
}

TEST_CASE("a header ends the topic in front of it, and says how many messages there are") {
  Header batch = plain;
  batch.batch = 120;
  const Frame frame = encode_message("a.b", batch, "records");
  CHECK(topic_of(text(frame)) == "a.b");
  CHECK(messages_in(text(frame)) == 120);
  CHECK(messages_in(text(encode_message("", plain, ""))) == 1);
  const auto read = decode_message(text(frame));
  REQUIRE(read);
  check_same(read->header, batch);
  CHECK(read->payload == "records");

  // Of a stock publisher: no header, or something that looks like one from afar.
  for (const std::string_view stock : {"", "weather", "\xC1", "a\xC1", "\xC1\xC1", "\xC1 text"}) {
    CAPTURE(stock);
    CHECK(header_place(stock) == std::string_view::npos);
    CHECK(topic_of(stock) == stock);
    CHECK(messages_in(stock) == 1);
  }
  const std::string longest(limits::topic_bytes, 't');
  CHECK(topic_of(text(encode_message(longest, plain, "x"))) == longest);
  CHECK(header_place(text(encode_message(longest + "t", plain, "x"))) == std::string_view::npos);
}

TEST_CASE("no header is taken for one that is cut off, of another version, or of other types") {
  Header with_headers = plain;
  with_headers.headers = {{"trace", "abc"}};
  const std::string frame = encode(with_headers);
  for (std::size_t size = 0; size < frame.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(decode_header(frame.substr(0, size)));
  }
  CHECK_FALSE(decode_header("hello"));
  CHECK_FALSE(decode_header("\xC1"));
  CHECK_FALSE(decode_header("\xC1\x96\x02\x01\x01\x01\x01\x00"));
  using namespace std::string_literals;
  CHECK(decode_header("\xC1\x96\x01\x01\x01\x01\x01\x00"s));
  CHECK_FALSE(decode_header("\xC1\x96\x01\x01\x01\x00\x01\x00"s));  // the sequence starts at 1
  CHECK_FALSE(decode_header("\xC1\x96\x01\x01\x01\xa1x\x01\x00"s));
}

TEST_CASE("headers beyond the limit are refused on both sides") {
  Header large = plain;
  large.headers = {{"x", std::string(limits::header_bytes, 'y')}};
  CHECK_FALSE(fits(large.headers));
  CHECK_FALSE(decode_header(encode(large)));
  // Announced, but not there.
  CHECK_FALSE(decode_header(encode(plain).replace(1, 1, "\x97") + "\xdf\xff\xff\xff\xff"));
}

TEST_CASE("a batch gives back its records, and ends at the first that is broken") {
  std::string batch;
  append_record(batch, "one");
  append_record(batch, "");
  append_record(batch, std::string(70'000, 'x'), {{"trace", "abc"}});
  BatchReader reader{batch};
  Headers headers;
  CHECK(reader.next(headers) == "one");
  CHECK(reader.next(headers) == "");
  CHECK(reader.next(headers).value().size() == 70'000);
  CHECK(headers == Headers{{"trace", "abc"}});
  CHECK(reader.at_end());

  BatchReader cut{std::string_view{batch}.substr(0, batch.size() - 1)};
  CHECK(cut.next(headers));
  CHECK(cut.next(headers));
  CHECK_FALSE(cut.next(headers));
}

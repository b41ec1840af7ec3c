#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/protocol/work_codec.hpp>

using namespace busbar::protocol;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

const std::vector<WorkMessage> one_of_each{
    Ready{.worker = 0xfedcba9876543210,
          .session = 7,
          .credit = 4,
          .expiry = 3s,
          .registration = 2,
          .answers = 5,
          .name = "w1"},
    Alive{.pusher = 9, .session = 7, .registration = 2, .expiry = 3s, .handed = 11},
    Hand{.registration = 2, .number = 12, .delivery = 300, .attempt = 1},
    Answer{.pusher = 9, .registration = 2, .number = 6, .runs = {{300, 20}, {330, 1}}},
    Answer{.pusher = 9,
           .registration = 2,
           .number = 7,
           .verdict = Verdict::failed,
           .runs = {{321, 1}},
           .reason = "no such file"},
    Goodbye{.who = 9}};

}  // namespace

TEST_CASE("what pushers and pullers say comes back as it was written") {
  for (const WorkMessage& message : one_of_each) {
    const std::string frame = encode(message);
    const auto again = decode_work(frame);
    REQUIRE(again);
    CHECK(again->index() == message.index());
    CHECK(encode(*again) == frame);
  }
  const auto ready = std::get<Ready>(*decode_work(encode(one_of_each[0])));
  CHECK(ready.worker == 0xfedcba9876543210);
  CHECK(ready.expiry == 3s);
  CHECK(ready.name == "w1");
  const auto failed = std::get<Answer>(*decode_work(encode(one_of_each[4])));
  CHECK(failed.verdict == Verdict::failed);
  CHECK(failed.runs == std::vector<Run>{{321, 1}});
  CHECK(failed.reason == "no such file");
}

TEST_CASE("the frame in front of work is written without allocating, and small") {
  const Hand hand = std::get<Hand>(one_of_each[2]);
  char room[short_hand_max];
  CHECK(std::string_view(room, encode_short(hand, room)) == encode(hand));
  const Hand longest{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT32_MAX};
  CHECK(encode_short(longest, room) <= short_hand_max);
}

TEST_CASE("what is cut off, of another version or kind, or of other types is refused") {
  for (const WorkMessage& message : one_of_each) {
    const std::string frame = encode(message);
    for (std::size_t size = 0; size < frame.size(); ++size) {
      CAPTURE(size);
      CHECK_FALSE(decode_work(frame.substr(0, size)));
    }
  }
  CHECK(decode_work("\xBD\x93\x01\x05\x09"s));
  CHECK_FALSE(decode_work("\xBD\x93\x02\x05\x09"s));  // another version
  CHECK_FALSE(decode_work("\xBD\x93\x01\x06\x09"s));  // an unknown kind
  CHECK_FALSE(decode_work("\xBD\x93\x01\x05\xa1x"s));
  CHECK_FALSE(decode_work("\xBB\x93\x01\x05\x09"s));
  CHECK(decode_work("\xBD\x94\x01\x05\x09\xa3new"s));  // a field that is not known
}

TEST_CASE("numbers that would overflow and texts that are too long are refused") {
  CHECK_FALSE(decode_work(encode(Answer{.pusher = 9, .runs = {{UINT64_MAX, 2}}})));
  CHECK_FALSE(decode_work(encode(Answer{.pusher = 9, .runs = {{1, 0}}})));
  CHECK_FALSE(decode_work(encode(Hand{.number = 1, .delivery = UINT64_MAX})));
  CHECK_FALSE(decode_work(encode(Hand{.number = 0, .delivery = 1})));
  CHECK_FALSE(decode_work(encode(Alive{.pusher = 0})));
  CHECK_FALSE(decode_work(encode(Ready{.worker = 1, .session = 0})));
  const std::string text(work_text_bytes + 1, 'x');
  CHECK_FALSE(decode_work(encode(Ready{.worker = 1, .session = 1, .name = text})));
  // Runs that are announced, but not there.
  CHECK_FALSE(decode_work("\xBD\x97\x01\x04\x09\x02\x07\x00\xdd\xff\xff\xff\xfe"s));
}

TEST_CASE("deliveries that follow each other are one run") {
  std::vector<Run> runs;
  for (const std::uint64_t delivery : {4u, 5u, 6u, 9u, 8u, 9u}) append(runs, delivery);
  CHECK(runs == std::vector<Run>{{4, 3}, {9, 1}, {8, 2}});
}

TEST_CASE("the examples in WIRE.md are what is sent") {
  CHECK(encode(Ready{.worker = 0x1234, .session = 0x77, .credit = 4, .expiry = 3s, .name = "w1"}) ==
        "\xBD\x99\x01\x01\xcd\x12\x34\x77\x04\xcd\x0b\xb8\x00\x00\xa2w1"s);
  CHECK(encode(Alive{.pusher = 0x5678, .session = 0x77, .registration = 1, .expiry = 3s}) ==
        "\xBD\x97\x01\x02\xcd\x56\x78\x77\x01\xcd\x0b\xb8\x00"s);
  CHECK(encode(Hand{.registration = 1, .number = 1, .delivery = 1, .attempt = 1}) ==
        "\xBD\x96\x01\x03\x01\x01\x01\x01"s);
  CHECK(
      encode(Answer{.pusher = 0x5678, .registration = 1, .number = 1, .runs = {{1, 2}, {4, 1}}}) ==
      "\xBD\x97\x01\x04\xcd\x56\x78\x01\x01\x00\x94\x01\x02\x04\x01"s);
  CHECK(encode(Answer{.pusher = 0x5678,
                      .registration = 1,
                      .number = 2,
                      .verdict = Verdict::failed,
                      .runs = {{3, 1}},
                      .reason = "no file"}) ==
        "\xBD\x98\x01\x04\xcd\x56\x78\x01\x02\x01\x92\x03\x01\xa7no file"s);
  CHECK(encode(Goodbye{0x1234}) == "\xBD\x93\x01\x05\xcd\x12\x34"s);
}

#include <string>

#include <doctest/doctest.h>

#include <busbar/protocol/replier_protocol.hpp>
#include <busbar/protocol/requester_protocol.hpp>

using namespace busbar;
using namespace busbar::protocol;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1h};

/// As a ROUTER gives it.
Multipart message(const RequestHead& head, const char* way = "way") {
  return {way, text(encode(head)), "", "payload"};
}
RequestHead head(std::uint64_t number, bool idempotent = false) {
  return {.key = {9, number}, .left = 1s, .idempotent = idempotent, .method = "m"};
}

struct Desk {
  bool begins(Multipart frames, TimePoint now = start) {
    protocol.on_message(frames, now);
    return protocol.take(job, now);
  }
  ReplierProtocol protocol{{.waiting_max = 2, .requesters_max = 2}};
  ReplierProtocol::Job job;
};

}  // namespace

TEST_CASE("numbers are seen once, and what is too far back counts as seen") {
  SeenNumbers seen;
  CHECK(seen.insert(5));
  CHECK_FALSE(seen.insert(5));
  CHECK(seen.insert(3));
  CHECK(seen.insert(4100));
  CHECK_FALSE(seen.insert(4));  // 4,096 back
  CHECK(seen.insert(6));
  CHECK_FALSE(seen.insert(5));
  CHECK(seen.insert(1'000'000));
  CHECK_FALSE(seen.insert(4100));
  CHECK(seen.insert(999'999));
  CHECK(seen.insert(UINT64_MAX));
  CHECK_FALSE(seen.insert(UINT64_MAX));
}

TEST_CASE("a delay is told from the quickest of late, and clocks may drift") {
  DelayGauge gauge;
  CHECK(gauge.delay(5000, start) == 0ms);
  CHECK(gauge.delay(5100, start + 100ms) == 0ms);
  CHECK(gauge.delay(5200, start + 500ms) == 300ms);
  CHECK(gauge.delay(5500, start + 400ms) == 0ms);  // quicker than any before: clocks were set so
  CHECK(gauge.delay(5600, start + 600ms) == 100ms);
  // A clock that is slower by 500 us a second never looks late.
  DelayGauge drifting;
  for (std::uint64_t second = 0; second < 1000; ++second)
    CHECK(drifting.delay(second * 1000 - second / 2 + 1000, start + std::chrono::seconds{second}) <=
          1ms);
}

TEST_CASE("what lay in a queue for longer than it had is not begun") {
  Desk desk;
  REQUIRE(desk.begins(message(head(1))));
  desk.protocol.reply(desk.job, Frame{});
  CHECK_FALSE(desk.begins(message(head(2)), start + 1500ms));  // sent at the same time
  CHECK(desk.protocol.counts().expired == 1);
  Multipart told;
  REQUIRE(desk.protocol.next(told));
  const auto failure = decode_correlation(told.text(1));
  REQUIRE(failure);
  CHECK(std::get<FailureHead>(*failure).status == FailureStatus::expired);
}

TEST_CASE("the answer to a request that came again goes the latest way") {
  Desk desk;
  REQUIRE(desk.begins(message(head(1, true), "old")));
  CHECK_FALSE(desk.begins(message(head(1, true), "new")));
  REQUIRE(desk.protocol.reply(desk.job, desk.job.reply("done")));
  REQUIRE(desk.job.frames.size() == 2);
  CHECK(desk.job.frames.text(0) == "new");
  CHECK(desk.job.frames[1] == encode(ReplyHead{{9, 1}}, "done"));
  CHECK(desk.begins(message(head(1, true))));  // that answer may have been lost
  CHECK(desk.protocol.counts().duplicates == 1);
}

TEST_CASE("what is above the bound goes back as not begun, and stays so") {
  Desk desk;
  for (std::uint64_t number = 1; number <= 3; ++number) {
    Multipart frames = message(head(number));
    desk.protocol.on_message(frames, start);
  }
  CHECK(desk.protocol.counts().waiting == 2);
  CHECK(desk.protocol.counts().unavailable == 1);
  REQUIRE(desk.protocol.take(desk.job, start));
  Multipart again = message(head(3));
  desk.protocol.on_message(again, start);
  CHECK(desk.protocol.counts().duplicates == 1);
}

TEST_CASE("a requester that is remembered no more is the one not heard for longest") {
  Desk desk;
  const auto from = [](std::uint64_t requester) {
    RequestHead made = head(1);
    made.key.requester = requester;
    return message(made);
  };
  for (std::uint64_t requester = 1; requester <= 3; ++requester) {
    REQUIRE(desk.begins(from(requester), start + std::chrono::milliseconds{requester}));
    desk.protocol.reply(desk.job, Frame{});
  }
  CHECK_FALSE(desk.begins(from(3), start + 4ms));
  CHECK(desk.begins(from(1), start + 5ms));
}

TEST_CASE("hedging keeps to its budget, and needs to know what is usual") {
  TimePoint now = start;
  RequesterProtocol ask{
      {.id = 9, .servers = 2, .choice = Choice::failover, .attempt_timeout = 1s, .hedge = 0.1},
      now};
  ask.connected(0, now);
  ask.connected(1, now);
  RequesterProtocol::Send send;
  for (std::uint64_t number = 1; number <= 100; ++number) {
    ask.add({.method = "m", .deadline = 10s, .idempotent = true}, now);
    now += 10ms;
    ask.on_time(now);
    if (number > 32) now += 50ms;  // slower than all before
    ask.on_time(now);
    while (ask.next(send, now)) {
    }
    Multipart reply{text(encode(head(number))), "", "x"};
    ask.on_message(0, reply, now);
    RequesterProtocol::Finished finished;
    while (ask.take(finished)) CHECK(finished.outcome == Outcome::replied);
  }
  CHECK(ask.counts().hedged >= 5);
  CHECK(ask.counts().hedged <= 10);
  CHECK(ask.counts().retried == 0);
  CHECK(ask.outstanding(0) + ask.outstanding(1) == 0);
}

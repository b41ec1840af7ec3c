#include <optional>
#include <string>

#include <doctest/doctest.h>

#include <busbar/core/limits.hpp>
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
  return {.key = {9, number},
          .left = 1s,
          .sent = 3'600'000,  // at `start`, by clocks that agree
          .idempotent = idempotent,
          .method = "m"};
}

struct Desk {
  bool begins(Multipart frames, TimePoint now = start) {
    protocol.on_message(frames, now);
    return protocol.take(job, now);
  }
  /// The status of the failure that is sent next; empty: there is none.
  std::optional<FailureStatus> told() {
    Multipart out;
    while (protocol.next(out)) {
      const auto head = decode_correlation(out.text(1));
      const auto* failure = head ? std::get_if<FailureHead>(&*head) : nullptr;
      if (failure != nullptr) return failure->status;
    }
    return std::nullopt;
  }
  ReplierProtocol protocol{{.waiting_max = 2, .requesters_max = 2}};
  ReplierProtocol::Job job;
};

}  // namespace

TEST_CASE("what lay in a queue for longer than it had is not begun, be it the first of all") {
  for (const bool first : {true, false}) {
    Desk desk;
    if (!first) {
      REQUIRE(desk.begins(message(head(1))));
      desk.protocol.reply(desk.job, Frame{});
    }
    CHECK_FALSE(desk.begins(message(head(2)), start + 1500ms));  // sent at `start`
    CHECK(desk.protocol.counts().expired == 1);
    CHECK(desk.told() == FailureStatus::expired);
    // It may come again, where its requester knows that it is not late.
    RequestHead wanted = head(2);
    wanted.wanted = true;
    CHECK(desk.begins(message(wanted), start + 1500ms));
    CHECK(desk.job.deadline == start + 2500ms);
    CHECK_FALSE(desk.begins(message(wanted), start + 1500ms));
    CHECK(desk.protocol.counts().duplicates == 1);
  }
}

TEST_CASE("more than are remembered may come again as wanted, to a server whose clock is ahead") {
  constexpr std::uint64_t many = 10'000;
  ReplierProtocol desk{{.waiting_max = many, .utc = 60s}};
  RequesterProtocol ask{{.id = 9, .servers = 1}};
  ask.connected(0, start);
  for (std::uint64_t i = 0; i < many; ++i) ask.add({.method = "m", .deadline = 5s}, start);
  const auto answer = [&](Multipart& frames) {
    frames.pop_front();
    ask.on_message(0, frames, start);
  };
  RequesterProtocol::Send send;
  ReplierProtocol::Job job;
  Multipart out;
  for (bool more = true; more;) {
    more = false;
    for (; ask.next(send, start); more = true) {
      send.frames.push_front("way");
      desk.on_message(send.frames, start);
    }
    while (desk.take(job, start)) {
      if (desk.reply(job, job.reply("y"))) answer(job.frames);
    }
    while (desk.next(out)) answer(out);
  }
  CHECK(ask.counts().in_flight == 0);
  CHECK(ask.counts().outcomes[static_cast<std::size_t>(Outcome::replied)] == many);
}

TEST_CASE("what comes again behind all that is remembered is told so, and never begun twice") {
  Desk desk;
  REQUIRE(desk.begins(message(head(1))));
  ReplierProtocol::Job first = std::move(desk.job);
  REQUIRE(desk.begins(message(head(5000))));
  CHECK_FALSE(desk.begins(message(head(1))));
  CHECK_FALSE(desk.told());  // it is being worked on
  desk.protocol.reply(first, Frame{});
  CHECK_FALSE(desk.begins(message(head(1))));
  CHECK(desk.told() == FailureStatus::forgotten);
  CHECK_FALSE(desk.begins(message(head(5000))));
  CHECK_FALSE(desk.told());
  CHECK(desk.protocol.counts().duplicates == 3);
  CHECK(desk.protocol.counts().expired == 0);
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

TEST_CASE("the reason of a failure may be a part of the request, also where that came again") {
  Desk desk;
  RequestHead long_one = head(1, true);
  const std::string method(200, 'm');
  long_one.method = method;
  REQUIRE(desk.begins(message(long_one, "old")));
  CHECK_FALSE(desk.begins(message(long_one, "new")));
  REQUIRE(desk.protocol.fail(desk.job, FailureStatus::refused, 0, desk.job.method));
  std::string_view reason;
  REQUIRE(decode_correlation(desk.job.frames.text(1), reason));
  CHECK(reason == method);
}

TEST_CASE("what is above the bound goes back as not begun, as often as it comes") {
  Desk desk;
  for (std::uint64_t number = 1; number <= 3; ++number) {
    Multipart frames = message(head(number));
    desk.protocol.on_message(frames, start);
  }
  CHECK(desk.protocol.counts().waiting == 2);
  CHECK(desk.told() == FailureStatus::unavailable);
  REQUIRE(desk.protocol.take(desk.job, start));
  // There would be room now, but another server may have it.
  Multipart again = message(head(3));
  desk.protocol.on_message(again, start);
  CHECK(desk.told() == FailureStatus::unavailable);
  CHECK(desk.protocol.counts().unavailable == 2);
  // What may be done twice may be done here.
  desk.protocol.reply(desk.job, Frame{});
  REQUIRE(desk.begins(message(head(3, true))));
}

TEST_CASE("a request that every server gives back is refused at once, or tried until its end") {
  for (const bool idempotent : {false, true}) {
    CAPTURE(idempotent);
    RequesterProtocol ask{{.id = 9, .servers = 3}};
    ask.connected(0, start);
    ask.connected(1, start);
    ask.add({.method = "m", .deadline = 10s, .idempotent = idempotent}, start);
    TimePoint now = start;
    RequesterProtocol::Send send;
    RequesterProtocol::Finished finished;
    int asked = 0;
    std::uint64_t servers = 0;
    for (; now <= start + 11s && !ask.take(finished); now += 1ms) {
      ask.on_time(now);
      while (ask.next(send, now)) {
        ++asked;
        servers |= std::uint64_t{1} << send.server;
        Multipart back{text(encode(FailureHead{{9, 1}, FailureStatus::unavailable}))};
        ask.on_message(send.server, back, now);
      }
    }
    CHECK(servers == 3);
    CHECK(finished.outcome == (idempotent ? Outcome::expired : Outcome::refused));
    CHECK(finished.status == (idempotent ? FailureStatus::failed : FailureStatus::unavailable));
    CHECK(asked == (idempotent ? 200 : 2));  // both, and a pause of 100 ms
    CHECK(ask.outstanding(0) + ask.outstanding(1) == 0);
  }
}

TEST_CASE("what a server finds late and we do not is sent there once more, as wanted") {
  RequesterProtocol ask{{.id = 9, .servers = 2}};
  ask.connected(0, start);
  ask.connected(1, start);
  ask.add({.method = "m", .deadline = 1s}, start);
  const auto expired = [&](std::size_t server, TimePoint now) {
    Multipart back{text(encode(FailureHead{{9, 1}, FailureStatus::expired}))};
    ask.on_message(server, back, now);
  };
  const auto wanted = [](const Multipart& frames) {
    return std::get<RequestHead>(*decode_correlation(frames.text(0))).wanted;
  };
  RequesterProtocol::Send first;
  RequesterProtocol::Send again;
  REQUIRE(ask.next(first, start));
  CHECK_FALSE(wanted(first.frames));
  expired(first.server, start + 10ms);
  REQUIRE(ask.next(again, start + 10ms));
  CHECK(again.server == first.server);
  CHECK(wanted(again.frames));
  RequesterProtocol::Finished finished;
  CHECK_FALSE(ask.take(finished));
  expired(first.server, start + 20ms);
  REQUIRE(ask.take(finished));
  CHECK(finished.outcome == Outcome::expired);
}

TEST_CASE("what a server cannot tell any more may have been done, and is not sent again") {
  RequesterProtocol ask{{.id = 9, .servers = 2}};
  ask.connected(0, start);
  ask.connected(1, start);
  ask.add({.method = "m", .deadline = 1s}, start);
  RequesterProtocol::Send send;
  REQUIRE(ask.next(send, start));
  Multipart back{text(encode(FailureHead{{9, 1}, FailureStatus::forgotten}))};
  ask.on_message(send.server, back, start + 10ms);
  RequesterProtocol::Finished finished;
  REQUIRE(ask.take(finished));
  CHECK(finished.outcome == Outcome::lost);
  CHECK(finished.status == FailureStatus::forgotten);
  CHECK_FALSE(ask.next(send, start + 10ms));
}

namespace {

/// How many attempts a server that says nothing gets within `span`.
std::uint64_t attempts_within(RequesterProtocol& ask, TimePoint& now, Duration span) {
  const std::uint64_t before = ask.counts().sent;
  RequesterProtocol::Send send;
  for (const TimePoint end = now + span; now < end; now += 100ms) {
    ask.on_time(now);
    while (ask.next(send, now)) {
    }
  }
  return ask.counts().sent - before;
}

}  // namespace

TEST_CASE("a server that is stopped gets no copy of what it has, and one behind a queue few") {
  for (const bool direct : {true, false}) {
    CAPTURE(direct);
    TimePoint now = start;
    RequesterProtocol ask{{.id = 9, .servers = 2}};
    ask.connected(0, now);
    Multipart taken{text(encode(TakenHead{{9, 1}, direct}))};
    ask.on_message(0, taken, now);
    for (int i = 0; i < 100; ++i)
      ask.add({.method = "m", .deadline = 20min, .idempotent = true}, now);
    // One behind a queue after 1, 2, 4 and 8 s, then every 16 s.
    CHECK(attempts_within(ask, now, 10min) == (direct ? 0 : 40 * 100));
    CHECK(ask.counts().sent == (direct ? 1 : 41) * 100);
    // Another server has none of them, and a connection that is lost may have had all.
    ask.connected(1, now);
    CHECK(attempts_within(ask, now, 1s) == 100);
    ask.disconnected(1, now);
    ask.connected(1, now);
    CHECK(attempts_within(ask, now, 1s) == 100);
  }
}

TEST_CASE("a server that takes nothing is sent no more than a bound, and asked again later") {
  for (const bool idempotent : {true, false}) {
    CAPTURE(idempotent);
    TimePoint now = start;
    RequesterProtocol ask{{.id = 9, .servers = 1, .unheard_max = 10}};
    ask.connected(0, now);
    for (int i = 0; i < 1000; ++i) {
      ask.add({.method = "m", .deadline = 2s, .idempotent = idempotent}, now);
      attempts_within(ask, now, 100ms);
    }
    CHECK(ask.counts().sent <= 10 + 101);
    Multipart taken{text(encode(TakenHead{{9, 1}, true}))};
    ask.on_message(0, taken, now);
    attempts_within(ask, now, 1s);
    CHECK(ask.counts().sent >= 10 + 100);
    attempts_within(ask, now, 1min);
    CHECK(ask.counts().in_flight == 0);
    CHECK(ask.counts().requested == 1000);
  }
}

TEST_CASE("a reply that is too large is a failure, which both ends learn") {
  Desk desk;
  REQUIRE(desk.begins(message(head(1))));
  const auto made = [&](std::size_t size) { return Frame{size}; };
  CHECK(desk.protocol.reply(desk.job, made(limits::message_bytes + 1)));
  const auto told = decode_correlation(desk.job.frames.text(1));
  REQUIRE(told);
  REQUIRE(std::holds_alternative<FailureHead>(*told));
  CHECK(std::get<FailureHead>(*told).status == FailureStatus::failed);
  CHECK(desk.protocol.counts().failed == 1);
  REQUIRE(desk.begins(message(head(2))));
  CHECK(desk.protocol.reply(desk.job, made(limits::message_bytes)));
  CHECK(desk.protocol.counts().replied == 1);
  CHECK(desk.protocol.counts().running == 0);
}

TEST_CASE("a request without any time is expired, and not sent") {
  RequesterProtocol ask{{.id = 9, .servers = 1}};
  ask.connected(0, start);
  ask.add({.method = "m", .deadline = 0ms, .idempotent = true}, start);
  RequesterProtocol::Send send;
  CHECK_FALSE(ask.next(send, start));
  RequesterProtocol::Finished finished;
  REQUIRE(ask.take(finished));
  CHECK(finished.outcome == Outcome::expired);
  CHECK(ask.counts().sent == 0);
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
      {.id = 9, .servers = 2, .choice = Choice::failover, .attempt_timeout = 1s, .hedge = 0.1}};
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

TEST_CASE("how long a reply took is known where it was asked for twice") {
  TimePoint now = start;
  RequesterProtocol ask{{.id = 9, .servers = 2, .choice = Choice::failover, .hedge = 1}};
  ask.connected(0, now);
  ask.connected(1, now);
  RequesterProtocol::Send send;
  const auto pass = [&](std::chrono::milliseconds span) {
    for (const TimePoint end = now + span; now < end;) {
      ask.on_time(now += 1ms);
      while (ask.next(send, now)) {
      }
    }
  };
  for (std::uint64_t number = 1; number <= 128; ++number) {
    ask.add({.method = "m", .deadline = 10s, .idempotent = true}, now);
    pass(number <= 32 ? 10ms : 100ms);
    Multipart reply{text(encode(ReplyHead{{9, number}}, "x"))};
    ask.on_message(0, reply, now);
  }
  const std::uint64_t before = ask.counts().hedged;
  CHECK(before > 0);
  ask.add({.method = "m", .deadline = 10s, .idempotent = true}, now);
  pass(99ms);
  CHECK(ask.counts().hedged == before);
  pass(2ms);
  CHECK(ask.counts().hedged == before + 1);
}

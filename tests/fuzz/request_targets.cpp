#include "fuzz/request_targets.hpp"

#include "fuzz/frames.hpp"
#include "fuzz/targets.hpp"

#include <algorithm>
#include <numeric>

#include <busbar/protocol/freelance.hpp>
#include <busbar/protocol/header.hpp>
#include <busbar/protocol/replier_protocol.hpp>
#include <busbar/protocol/requester_protocol.hpp>

namespace busbar::fuzz {

namespace {

using namespace protocol;
using namespace std::chrono_literals;

constexpr RequestKey key{9, 1};

std::string encoded(const Correlation& head) {
  return std::visit([](const auto& kind) { return std::string{text(encode(kind))}; }, head);
}

template <class Head>
std::string with(const Head& head, const std::string& before, const std::string& behind) {
  return before + std::string{text(encode(head))} + frame_end + behind;
}

RequestHead request(std::uint64_t number, bool idempotent) {
  return {.key = {9, number},
          .left = 800ms,
          .sent = 3'600'000,  // when the targets' clocks begin: it is not late
          .idempotent = idempotent,
          .tell_me = true,
          .method = "m"};
}

void check(const ReplierCounts& c) {
  fuzz::check(c.received == c.replied + c.failed + c.refused + c.expired + c.unavailable +
                                c.cancelled + c.duplicates + c.malformed + c.waiting + c.running,
              "a replier's counts do not reconcile");
}

}  // namespace

/// A frame that is taken encodes to one that says the same.
void correlation(std::string_view bytes) {
  const auto head = decode_correlation(bytes);
  if (!head) return;
  const std::string once = encoded(*head);
  const auto again = decode_correlation(once);
  check(again && encoded(*again) == once, "a correlation frame changed");
}

/// Whatever servers say: each request is finished once, by its deadline, and the counts reconcile.
void requester(std::string_view bytes) {
  TimePoint now{1h};
  RequesterProtocol protocol{{.id = key.requester, .servers = 2, .batch_messages = 3}};
  protocol.connected(0, now);
  protocol.connected(1, now);
  for (int i = 0; i < 4; ++i)
    protocol.add({.method = "m", .deadline = 2s, .idempotent = i % 2 == 0}, now);
  std::uint64_t finished = 0;
  const auto drain = [&] {
    RequesterProtocol::Send send;
    while (protocol.next(send, now)) check(!send.frames.empty(), "a message without a head");
    RequesterProtocol::Finished one;
    for (; protocol.take(one); ++finished) check(one.number <= 4, "finished what was never asked");
  };
  for (std::size_t i = 0; !bytes.empty(); ++i) {
    Multipart frames = frames_of(take(bytes, message_end));
    protocol.on_message(i % 2, frames, now);
    now += 10ms;
    protocol.on_time(now);
    drain();
  }
  protocol.on_time(now + 2s);
  drain();
  const RequesterCounts& counts = protocol.counts();
  check(finished == 4 && counts.in_flight == 0, "a request was finished twice or never");
  check(std::accumulate(counts.outcomes.begin(), counts.outcomes.end(), std::uint64_t{0}) == 4,
        "a requester's counts do not reconcile");
  check(protocol.outstanding(0) + protocol.outstanding(1) == 0, "something is outstanding");
}

/// Whatever comes: the counts reconcile, what waits stays within its bound, each answer has an
/// address and a body, and a good request is served.
void replier(std::string_view bytes) {
  TimePoint now{1h};
  ReplierProtocol protocol{{.waiting_max = 4, .requesters_max = 3}};
  const auto answers = [&] {
    Multipart out;
    while (protocol.next(out)) check(out.size() >= 2, "an answer without an address");
  };
  std::vector<ReplierProtocol::Job> running;
  for (std::size_t i = 0; !bytes.empty(); ++i) {
    Multipart frames = frames_of(take(bytes, message_end));
    frames.push_front("way");
    protocol.on_message(frames, now);
    check(protocol.counts().waiting <= 4, "too much waits");
    now += 10ms;
    if (i % 3 == 2 && protocol.take(running.emplace_back(), now)) {
      check(running.back().payload < running.back().frames.size(), "a job without a payload");
    }
    if (running.size() > 2) {
      ReplierProtocol::Job& job = running.front();
      if (!job.frames.empty() && protocol.fail(job, FailureStatus::failed, 0, "no"))
        check(job.frames.size() >= 2, "a failure without an address");
      running.erase(running.begin());
    }
    answers();
    check(protocol.counts());
  }
  ReplierProtocol::Job job;
  while (protocol.take(job, now)) protocol.reply(job, Frame{});
  answers();
  const RequestHead wanted{
      .key = {0xfedcba9876543210, 1}, .left = 1s, .wanted = true, .method = "m"};
  Multipart good{"way", text(encode(wanted)), "", "good"};
  protocol.on_message(good, now);
  check(protocol.take(job, now) && protocol.reply(job, job.reply("y")), "a good one is not served");
  std::string_view payload;
  check(job.frames.size() == 2 && decode_correlation(job.frames.text(1), payload) && payload == "y",
        "a reply of another shape");
  check(protocol.counts());
}

/// Whatever another implementation says: it is a PING, or as our own wire has it, from where it
/// goes back unchanged; our machines take it, and answer it with what they take for an answer.
void freelance(std::string_view bytes) {
  const TimePoint now{1h};
  ReplierProtocol desk{{.waiting_max = 4}};
  RequesterProtocol asker{{.id = key.requester, .servers = 1}};
  asker.connected(0, now);
  asker.add({.method = "m", .deadline = 2s}, now);
  while (!bytes.empty()) {
    Multipart frames = frames_of(take(bytes, message_end));
    frames.push_front("way");
    const auto text_of = [](const Multipart& all) {
      std::string joined;
      for (const Frame& frame : all) joined += std::string{text(frame)} + message_end;
      return joined;
    };
    const std::string before = text_of(frames);
    if (freelance::is_ping(frames)) {
      freelance::make_pong(frames);
      check(freelance::is_pong(frames) && frames.text(0) == "way", "a PONG that goes elsewhere");
      continue;
    }
    if (freelance::is_busbar(frames)) {
      desk.on_message(frames, now);
      continue;
    }
    freelance::to_busbar(frames);
    check(frames.size() > 2 && frames.text(2).empty(), "no empty frame behind the control frame");
    Multipart copy = frames.copy();
    freelance::from_busbar(copy);
    check(text_of(copy) == before, "what came does not go back as it was");
    copy = frames.copy();
    copy.pop_front();
    asker.on_message(0, copy, now);
    desk.on_message(frames, now);
    for (ReplierProtocol::Job job; desk.take(job, now);) {
      const bool alone = job.place == BatchPlace::none;
      check(desk.reply(job, job.reply("y")) == alone, "what is taken has no answer");
      if (!alone) continue;
      freelance::from_busbar(job.frames);
      check(job.frames.size() >= 2 && job.frames.text(0) == "way", "an answer without an address");
    }
    check(desk.counts());
  }
}

std::vector<std::string> correlation_seeds() {
  return {encoded(request(7, true)), encoded(FailureHead{key, FailureStatus::refused, 4}),
          encoded(ReplyHead{key}), encoded(CancelHead{key}), encoded(TakenHead{key, true})};
}

template <class... Records>
std::string batch(std::uint32_t count, const Records&... records) {
  std::string all;
  (append_record(all, records), ...);
  return std::string{text(encode(BatchHead{key, count}, all))};
}

std::vector<std::string> requester_seeds() {
  const std::string body = std::string{frame_end} + "body";
  const std::string end{message_end};
  return {with(request(1, false), "", body.substr(1)) + end + with(request(2, true), "", body),
          encoded(FailureHead{key, FailureStatus::unavailable}) + end +
              encoded(TakenHead{key, true}) + end + encoded(ReplyHead{key}) + "payload",
          encoded(FailureHead{{9, 3}, FailureStatus::expired}) + "reason" + end + "plain",
          batch(2, encoded(ReplyHead{{9, 2}}) + "payload",
                encoded(FailureHead{{9, 3}, FailureStatus::failed}) + "reason")};
}

std::vector<std::string> replier_seeds() {
  const std::string body = std::string{frame_end} + "body";
  const std::string end{message_end};
  const std::string hop = std::string{"hop"} + frame_end;
  return {with(request(1, false), "", body) + end + with(request(1, false), "", body) + end +
              with(request(2, true), hop, body),
          with(request(3, true), "", body) + end + with(request(3, true), hop, body) + end +
              with(CancelHead{{9, 3}}, "", "") + end + with(request(4, false), "", body),
          hop + body + end + body + end + "no envelope" + end + with(request(5, false), "", body),
          hop + batch(2, encoded(request(6, false)), std::string{"one"}, encoded(request(7, true)),
                      std::string{"two"})};
}

std::vector<std::string> freelance_seeds() {
  const std::string end{message_end};
  const std::string body = std::string{frame_end} + "body";
  return {"PING" + end + "7" + body + end + encoded(request(1, true)) + body,
          "PONG" + end + encoded(CancelHead{key}) + end + encoded(ReplyHead{key}) + "y",
          encoded(request(2, false)) + body + body + end + encoded(request(3, false)) + frame_end +
              body + end + "PING" + body};
}

}  // namespace busbar::fuzz

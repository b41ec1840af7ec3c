// A publisher's history is bounded by count, by bytes and by age: what is within the bounds is
// fetched, and what is beyond one of them is told as lost, to the number and with its cause.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/patterns/internal/subscriber_protocol.hpp>
#include <busbar/protocol/message_frame.hpp>
#include <busbar/protocol/publisher_protocol.hpp>

using namespace busbar;
using namespace busbar::protocol;
using namespace std::chrono_literals;
using busbar::detail::Arrival;
using busbar::detail::SubscriberProtocol;

namespace {

using Numbers = std::vector<std::uint64_t>;

Numbers from_to(std::uint64_t first, std::uint64_t last) {
  Numbers all;
  for (std::uint64_t number = first; number <= last; ++number) all.push_back(number);
  return all;
}

/// A publisher and its subscriber to "t", over a way that loses what it is told to.
struct Pair {
  explicit Pair(HistoryLimits history, LateJoin late_join = LateJoin::nothing)
      : publisher({.id = 9, .name = "", .late_join = late_join, .history = history}) {}

  void join() {
    subscriber.subscribe("t");
    settle();
  }
  /// Sends a message of `size` bytes, or a batch of so many of a byte each.
  void publish(bool lost, std::size_t size = 1, std::uint32_t batch = 0,
               const std::string& topic = "t") {
    Stream& stream = publisher.stream_of(topic);
    const Header header = publisher.header_for(stream, 0, batch);
    std::string payload(size, 'x');
    if (batch > 0) {
      payload.clear();
      for (std::uint32_t i = 0; i < batch; ++i) append_record(payload, "x");
    }
    Multipart frames;
    frames.push_back(encode_message(topic, header, payload));
    publisher.keep(stream, header, frames[0], "x", {}, now);
    if (!lost) subscriber.receive(frames, now);
    settle();
  }
  void publish_many(int count, bool lost, Duration apart = {}) {
    for (int i = 0; i < count; ++i) {
      publish(lost);
      now += apart;
    }
  }
  /// Both say what they have to, until neither has any more.
  void settle() {
    for (bool news = true; news;) {
      news = false;
      while (const auto change = subscriber.next_change()) {
        publisher.on_subscription((change->on ? '\1' : '\0') + change->topic, now);
        fetches += change->on && change->topic.starts_with("\xFFR");
      }
      for (Multipart answer; publisher.next_answer(answer); news = true) {
        subscriber.receive(answer, now);
      }
    }
    for (; auto* event = subscriber.next(); subscriber.done()) {
      if (auto* const gap = std::get_if<Gap>(event)) {
        gaps.push_back(*gap);
        continue;
      }
      std::optional<Message> message;
      while (std::get<Arrival>(*event).next(message)) delivered.push_back(message->sequence());
    }
  }
  /// Of `sent` messages those from `first` to `last` were told as not kept, and all others came.
  void check_lost(std::uint64_t first, std::uint64_t last, std::uint64_t sent) {
    REQUIRE(gaps.size() == 1);
    CHECK(gaps[0].cause == GapCause::not_kept);
    CHECK(gaps[0].publisher == 9);
    CHECK(gaps[0].topic == "t");
    CHECK(gaps[0].first == first);
    CHECK(gaps[0].last == last);
    Numbers expected = from_to(1, first - 1);
    for (const std::uint64_t number : from_to(last + 1, sent)) expected.push_back(number);
    CHECK(delivered == expected);
    CHECK(subscriber.counts().lost == last - first + 1);
    CHECK(subscriber.counts().waiting == 0);
    CHECK(fetches <= 2);  // it was answered, not tried until it was tired
  }

  TimePoint now{1h};
  PublisherProtocol publisher;
  SubscriberProtocol subscriber{{.inbox = 7}};
  Numbers delivered = {};
  std::vector<Gap> gaps = {};
  int fetches = 0;
};

// Each of the bounds is tested with the others out of the way.
constexpr std::size_t many = 1'000'000;

std::size_t size_of_one() {
  return encode_message("t", Header{.publisher = 9, .stream = 1, .sequence = 1}, "x").size();
}

}  // namespace

TEST_CASE("what is beyond the history's count is told as lost, and the rest is fetched") {
  Pair pair{{.messages = 5, .bytes = many, .age = 1h}};
  pair.join();
  pair.publish(false);
  pair.publish_many(19, true, 1s);
  pair.publish(false);
  pair.check_lost(2, 16, 21);  // kept: 17 to 21
  CHECK(pair.publisher.history().messages() == 5);
  CHECK(pair.subscriber.counts().recovered == 4);
}

TEST_CASE("what is beyond the history's bytes is told as lost, and the rest is fetched") {
  for (const std::size_t spare : {std::size_t{0}, size_of_one() - 1}) {
    Pair pair{{.messages = many, .bytes = 5 * size_of_one() + spare, .age = 1h}};
    pair.join();
    pair.publish(false);
    pair.publish_many(19, true, 1s);
    pair.publish(false);
    pair.check_lost(2, 16, 21);
    CHECK(pair.publisher.history().bytes() == 5 * size_of_one());
  }
}

TEST_CASE("what is beyond the history's age is told as lost, and the rest is fetched") {
  Pair pair{{.messages = many, .bytes = many, .age = 5s}};
  pair.join();
  pair.publish(false);
  pair.publish_many(19, true, 1s);
  pair.publish(false);  // number 2 is 19 s old, and number 16 is just 5 s old
  pair.check_lost(2, 15, 21);
}

TEST_CASE("a history's bounds are those of all streams together, and a batch counts as one") {
  Pair pair{{.messages = 4, .bytes = many, .age = 1h}};
  pair.join();
  pair.publish(false);
  for (int i = 0; i < 3; ++i) pair.publish(true, 1, 10);  // 2 to 11, 12 to 21, 22 to 31
  pair.publish(true, 1, 0, "other");
  pair.publish(false);  // 32; with it the history has "other" and two batches
  pair.check_lost(2, 11, 32);
  CHECK(pair.publisher.history().messages() == 4);
}

TEST_CASE("a message above the history's bytes is not kept, and told as that, not as unanswered") {
  Pair pair{{.messages = many, .bytes = 5 * size_of_one(), .age = 1h}};
  pair.join();
  pair.publish(false);
  pair.publish(true, 1000);
  pair.publish(true);
  pair.publish(false);
  pair.check_lost(2, 2, 4);
}

TEST_CASE("a late joiner's history begins behind what could not be kept, without a gap") {
  Pair pair{{.messages = many, .bytes = 5 * size_of_one(), .age = 1h}, LateJoin::history};
  pair.publish_many(2, false);
  pair.publish(false, 1000);
  pair.publish_many(2, false);
  pair.join();
  pair.publish(false);
  CHECK(pair.delivered == from_to(4, 6));
  CHECK(pair.gaps.empty());
}

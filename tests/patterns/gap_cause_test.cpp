// Why a gap is told: each cause that needs no faulty link to come about.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/patterns/internal/subscriber_protocol.hpp>
#include <busbar/protocol/message_frame.hpp>

using namespace busbar;
using namespace busbar::protocol;
using namespace std::chrono_literals;
using namespace std::string_literals;
using busbar::detail::Arrival;
using busbar::detail::SubscriberProtocol;
using busbar::detail::SubscriberProtocolOptions;

namespace {

constexpr TimePoint start{1h};

/// A subscriber of one publisher, which sends `numbers` and answers nothing.
struct Listener {
  explicit Listener(SubscriberProtocolOptions options) : protocol(options) {
    protocol.subscribe("t");
    Multipart welcome{
        inbox_topic(options.inbox),
        encode(Welcome{.publisher = 9, .name = "", .keeps = true, .positions = {{1, 1, 1, "t"}}})};
    protocol.receive(welcome, start);
  }
  void receive(std::uint64_t number) {
    Multipart frames{"t" + encode(Header{.publisher = 9, .stream = 1, .sequence = number}) + "x"};
    protocol.receive(frames, start);
  }
  /// Takes all that came out.
  void take() {
    for (; auto* event = protocol.next(); protocol.done()) {
      if (auto* const gap = std::get_if<Gap>(event)) {
        gaps.push_back(*gap);
        continue;
      }
      std::optional<Message> message;
      while (std::get<Arrival>(*event).next(message)) delivered.push_back(message->sequence());
    }
  }

  SubscriberProtocol protocol;
  std::vector<Gap> gaps = {};
  std::vector<std::uint64_t> delivered = {};
};

}  // namespace

TEST_CASE("what is asked for again and again and does not come is told as unanswered") {
  Listener listener{{.inbox = 7}};
  for (const std::uint64_t number : {1u, 2u, 4u}) listener.receive(number);
  listener.take();
  CHECK(listener.delivered == std::vector<std::uint64_t>{1, 2});
  TimePoint now = start;
  for (int i = 0; i < 100 && listener.gaps.empty(); ++i) {
    listener.protocol.tick(now = std::max(now, listener.protocol.next_deadline()));
    listener.take();
  }
  REQUIRE(listener.gaps.size() == 1);
  CHECK(listener.gaps[0].cause == GapCause::unanswered);
  CHECK(listener.gaps[0].first == 3);
  CHECK(listener.gaps[0].last == 3);
  CHECK(now - start >= 6 * 250ms);
  CHECK(listener.delivered.back() == 4);
}

TEST_CASE("a gap that too much waits behind is told as such, and all that waited comes out") {
  const std::size_t one = "t"s.size() + encode(Header{}).size() + "x"s.size();
  for (const bool by_count : {true, false}) {
    CAPTURE(by_count);
    SubscriberProtocolOptions options{.inbox = 7};
    (by_count ? options.waiting_messages : options.waiting_bytes) = by_count ? 3 : 3 * one;
    Listener listener{options};
    listener.receive(1);
    for (std::uint64_t number = 4; number < 7; ++number) listener.receive(number);
    listener.take();
    CHECK(listener.gaps.empty());
    CHECK(listener.protocol.counts().waiting == 3);
    for (std::uint64_t number = 7; number < 20; ++number) listener.receive(number);
    listener.take();
    REQUIRE(listener.gaps.size() == 1);
    CHECK(listener.gaps[0].cause == GapCause::no_room);
    CHECK(listener.gaps[0].first == 2);
    CHECK(listener.gaps[0].last == 3);
    CHECK(listener.delivered.size() == 17);
    CHECK(listener.protocol.counts().lost == 2);
    CHECK(listener.protocol.counts().waiting == 0);
  }
}

TEST_CASE("without recovery a gap is told at once, as not kept for us") {
  Listener listener{{.inbox = 7, .recover = false}};
  for (const std::uint64_t number : {1u, 3u}) listener.receive(number);
  listener.take();
  REQUIRE(listener.gaps.size() == 1);
  CHECK(listener.gaps[0].cause == GapCause::not_kept);
  CHECK(listener.delivered == std::vector<std::uint64_t>{1, 3});
}

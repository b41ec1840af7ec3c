#include "fuzz/pattern_targets.hpp"

#include "fuzz/frames.hpp"
#include "fuzz/targets.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <busbar/patterns/internal/subscriber_protocol.hpp>
#include <busbar/protocol/message_frame.hpp>
#include <busbar/protocol/publisher_protocol.hpp>

namespace busbar::fuzz {

namespace {

using namespace protocol;
using namespace std::chrono_literals;
using detail::Arrival;
using detail::SubscriberCounts;
using detail::SubscriberProtocol;

constexpr std::uint64_t inbox = 7;

template <class Known>
std::string encoded(const Known& known) {
  return std::visit([](const auto& kind) { return encode(kind); }, known);
}

/// A subscriber that holds little, and books what comes out as its shell does.
struct Listener {
  Listener() {
    protocol.subscribe("a.*");
    protocol.subscribe(TopicPattern::raw_prefix("b"));
  }
  void receive(std::string_view bytes) {
    Multipart frames = frames_of(bytes);
    protocol.receive(frames, now);
    check_bounds();
    now += 100ms;
    protocol.tick(now);
    check_bounds();
    drain();
  }
  void drain() {
    SubscriberCounts& counts = protocol.counts();
    while (auto* event = protocol.next()) {
      if (auto* arrival = std::get_if<Arrival>(event)) {
        std::optional<Message> message;
        while (arrival->next(message)) ++delivered;
        counts.malformed += arrival->rest();
        counts.delivered -= arrival->rest();
      }
      protocol.done();
    }
    while (const auto change = protocol.next_change()) subscriptions += change->on ? 1 : -1;
    check(delivered == counts.delivered, "came out otherwise than it was counted");
    check(delivered <= counts.received, "more came out than in");
    check(counts.received == counts.delivered + counts.duplicates + counts.unwanted +
                                 counts.malformed + counts.waiting,
          "a subscriber's counts do not reconcile");
    // A presence for each publisher that is heard and has not answered, for either pattern.
    const std::size_t asks = 2 * options.publishers_max;
    check(subscriptions <= 6 + static_cast<long>(options.streams_max + asks),
          "too many requests stand");
  }
  void check_bounds() {
    check(protocol.counts().waiting <= options.waiting_messages, "too much waits");
  }

  detail::SubscriberProtocolOptions options{.inbox = inbox,
                                            .waiting_messages = 16,
                                            .waiting_bytes = 4096,
                                            .streams_max = 8,
                                            .publishers_max = 4};
  SubscriberProtocol protocol{options};
  TimePoint now{1h};
  std::uint64_t delivered = 0;
  long subscriptions = 0;
};

std::string message(std::uint64_t sequence, std::uint32_t batch = 0) {
  std::string payload = "x";
  if (batch > 0) payload.clear();
  for (std::uint32_t i = 0; i < batch; ++i) append_record(payload, "x", {{"h", "v"}});
  const Header header{.publisher = 9, .stream = 1, .sequence = sequence, .batch = batch};
  return std::string{text(encode_message("a.b", header, payload))};
}

std::string joined(const std::vector<std::string>& messages) {
  std::string all;
  for (const std::string& one : messages) all += one + message_end;
  return all;
}

}  // namespace

/// A header that is taken encodes to one that says the same, short or not; so does a batch, record
/// by record, and neither holds more headers than may be.
void header(std::string_view bytes) {
  if (const auto read = decode_header(bytes)) {
    const std::string once = encode(*read);
    const auto again = decode_header(once);
    check(again && encode(*again) == once, "a header changed");
    check(fits(read->headers), "too many headers");
    char room[short_header_size];
    const std::string_view written{room, encode_short(*read, room)};
    check(!read->headers.empty() || written == once, "the short header is another one");
  }
  if (const auto read = decode_message(bytes)) {
    check(topic_of(bytes) == read->topic, "two topics");
    check(messages_in(bytes) == read->header.messages(), "announces another number");
    const Frame same = with_header_of(*read, read->topic, read->payload);
    check(text(same) == bytes, "a message changed");
  }
  std::string batch;
  std::size_t taken = 0;
  Headers headers;
  for (BatchReader reader{bytes}; !reader.at_end(); ++taken) {
    const auto payload = reader.next(headers);
    if (!payload) break;
    check(fits(headers), "too many headers in a record");
    append_record(batch, *payload, headers);
  }
  BatchReader again{batch};
  for (; taken > 0; --taken) check(again.next(headers).has_value(), "a record was lost");
  check(again.at_end(), "a record came from nowhere");
}

/// A request or a control frame that is taken encodes to one that says the same; a request to
/// itself.
void pubsub_control(std::string_view bytes) {
  if (const auto request = decode_request(bytes)) {
    const auto again = decode_request(encoded(*request));
    check(again && encoded(*again) == encoded(*request), "a request changed");
    const bool fetch = std::holds_alternative<Fetch>(*request);
    check(!fetch || encoded(*request) == bytes, "a fetch has two encodings");
  }
  if (const auto control = decode_control(bytes)) {
    const std::string once = encoded(*control);
    const auto again = decode_control(once);
    check(again && encoded(*again) == once, "a control frame changed");
  }
}

/// Whatever comes: no more comes out than in, the counts reconcile, what waits stays within its
/// bounds, and no more requests stand than there are streams.
void subscriber(std::string_view bytes) {
  Listener listener;
  while (!bytes.empty()) listener.receive(take(bytes, message_end));
  for (int i = 0; i < 100; ++i) {
    listener.now += 1s;
    listener.protocol.tick(listener.now);
    listener.drain();
  }
  check(listener.protocol.counts().waiting == 0, "something waits for ever");
}

/// Whatever subscriptions come, a publisher answers under reserved topics only, and no more than it
/// has; and a good subscriber gets its message.
void publisher(std::string_view bytes) {
  PublisherProtocol protocol{{.id = 9, .late_join = LateJoin::history, .history = {.messages = 8}}};
  const TimePoint now{1h};
  const auto publish = [&] {
    Stream& stream = protocol.stream_of("a.b");
    const Header next = protocol.header_for(stream, 0, 0);
    Frame frame = encode_message("a.b", next, "x");
    protocol.keep(stream, next, frame, "x", {}, now);
  };
  publish();
  Multipart answer;
  while (!bytes.empty()) {
    protocol.on_subscription(take(bytes, message_end), now);
    int answers = 0;
    for (; protocol.next_answer(answer); ++answers) {
      check(is_reserved(answer.text(0)), "an answer under a topic of the user");
    }
    check(answers <= 9, "answers what it has not");
    (void)protocol.subscribers_of("a.b", now);
    publish();
  }
  protocol.on_subscription('\1' + encode(Presence{inbox, 65'000, 0, 0, "a.b"}), now);
  bool welcomed = false;
  while (protocol.next_answer(answer)) welcomed = answer.text(0) == inbox_topic(inbox);
  check(welcomed, "a good subscriber was not welcomed");
}

std::vector<std::string> header_seeds() {
  Header full{.publisher = 9, .stream = 70'000, .sequence = 1'000'000, .time = 1, .batch = 3};
  const std::string batch = encode(full);
  full.batch = 0;
  full.headers = {{"trace", "abc"}, {"", ""}};
  std::string records;
  append_record(records, "one");
  append_record(records, "two", {{"trace", "abc"}});
  return {batch, encode(full), records, "a.b" + encode(full) + "payload"};
}

std::vector<std::string> pubsub_control_seeds() {
  return {encode(Presence{inbox, 1, 0, 0, "a.*.c"}),
          encode(Presence{inbox, 1, 2, 9, TopicPattern::raw_prefix("b")}),
          encode(Fetch{inbox, 9, 1, 2, 3, 4}),
          encode(Welcome{9, "name", true, 0, {{1, 2, 2, "a.b"}, {70'000, 1, 300, "a.c"}}}),
          encode(Heads{9, {{1, 1, 2, "a.b"}}}),
          encode(Fetched{9, 1, 3, 2})};
}

std::vector<std::string> subscriber_seeds() {
  const std::string to_inbox = inbox_topic(inbox) + frame_end;
  const std::string welcome = to_inbox + encode(Welcome{9, "name", true, 0, {{1, 2, 2, "a.b"}}});
  const std::string restarted = to_inbox + encode(Welcome{8, "name", false, 1, {}});
  const std::string heads = std::string{heads_topic()} + frame_end +
                            encode(Heads{9, {{1, 1, 9, "a.b"}, {2, 1, 5, "a.c"}}});
  const std::string fetched = to_inbox + encode(Fetched{9, 1, 5, 4});
  return {joined({welcome, message(2), message(5), to_inbox + message(4), fetched, message(6, 3)}),
          joined({message(1, 4), message(3, 2), welcome, heads, message(2)}),
          joined({welcome, message(9), message(7), message(7, 2), restarted, message(1)}),
          joined({"a.b", std::string{"b"} + frame_end + "plain", message(3), heads})};
}

std::vector<std::string> publisher_seeds() {
  const std::string presence = '\1' + encode(Presence{inbox, 1, 0, 0, "a.>"});
  const std::string asks = '\1' + encode(Presence{inbox, 1, 1, 9, "a.>"});
  const std::string fetch = '\1' + encode(Fetch{inbox, 9, 1, 1, 3, 4});
  return {joined({"\1a.", presence, fetch}), joined({asks, presence, asks}),
          joined({presence, '\0' + presence.substr(1), "\1"}),
          joined({fetch, '\0' + fetch.substr(1), fetch})};
}

}  // namespace busbar::fuzz

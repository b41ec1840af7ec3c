#include "fuzz/core_targets.hpp"

#include "fuzz/naive_topics.hpp"
#include "fuzz/targets.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

#include <busbar/core/codec.hpp>
#include <busbar/core/control_protocol.hpp>
#include <busbar/core/endpoint.hpp>
#include <busbar/core/error.hpp>
#include <busbar/core/topic.hpp>
#include <busbar/protocol/dispatcher.hpp>
#include <busbar/protocol/intake.hpp>
#include <busbar/protocol/work_codec.hpp>

namespace busbar::fuzz {

namespace {

using namespace std::string_literals;

/// Lines become frames; what is left after `most` - 1 of them is the last frame.
Multipart frames_from(std::string_view bytes, std::size_t most) {
  Multipart message;
  while (message.size() + 1 < most) {
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos) break;
    message.push_back(bytes.substr(0, end));
    bytes.remove_prefix(end + 1);
  }
  message.push_back(bytes);
  return message;
}

bool same_frames(const Multipart& a, const Multipart& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a.text(i) != b.text(i)) return false;
  }
  return true;
}

bool showable(std::string_view text) { return printable(text, text.size()) == text; }

/// What `parse` makes of the bytes; empty where it refuses them, as it may. An Error from anywhere
/// else in a target is a finding.
template <class Parse>
auto taken(ErrorKind refusal, Parse parse) -> std::optional<decltype(parse())> {
  try {
    return parse();
  } catch (const Error& error) {
    check(error.kind() == refusal, "a refusal of another kind");
    check(showable(error.what()), "a refusal needs escapes");
    return {};
  }
}

}  // namespace

/// An endpoint that exists has a canonical text, which gives the same endpoint again.
void endpoint(std::string_view bytes) {
  const auto parsed = taken(ErrorKind::usage, [&] { return Endpoint{bytes}; });
  if (!parsed) return;
  const Endpoint again{parsed->str()};
  check(again == *parsed && again.str() == parsed->str(), "the canonical text is not stable");
  check(again.host() == parsed->host() && again.port() == parsed->port() &&
            again.path() == parsed->path() && again.transport() == parsed->transport(),
        "the canonical text is another endpoint");
  check(showable(parsed->str()), "an endpoint's text needs escapes");
  check(parsed->host().empty() == (parsed->transport() != Transport::tcp), "host without tcp");
  check(!(parsed->is_local() && parsed->host() == "*"), "every interface is no loopback");
  if (parsed->transport() == Transport::tcp) {
    check(parsed->with_host(parsed->host()) == *parsed, "its own host gives another endpoint");
  }
}

/// The first line is a pattern and a raw prefix, the rest a topic: an independent matcher agrees,
/// and whatever matches begins with the prefix that libzmq filters by.
void topic_pattern(std::string_view bytes) {
  const std::size_t end = std::min(bytes.find('\n'), bytes.size());
  const std::string text{bytes.substr(0, end)};
  const std::string topic{bytes.substr(std::min(end + 1, bytes.size()))};
  if (text.size() <= naive::longest) {
    check(TopicPattern::raw_prefix(text).matches(topic) == (topic.rfind(text, 0) == 0),
          "a raw prefix matches otherwise than by its bytes");
  }
  const auto parsed_topic = taken(ErrorKind::usage, [&] { return Topic{topic}; });
  check(parsed_topic.has_value() == naive::is_topic(topic), "the naive check of topics disagrees");
  const auto pattern = taken(ErrorKind::usage, [&] { return TopicPattern{text}; });
  check(pattern.has_value() == naive::is_pattern(text), "the naive check of patterns disagrees");
  if (!pattern) return;
  const bool matches = pattern->matches(topic);
  check(matches == naive::matches(text, topic), "the naive matcher disagrees");
  check(!matches || topic.starts_with(pattern->prefix()), "matches beyond its prefix");
  check(pattern->str() == text, "a pattern's text changed");
}

/// A request that is taken encodes to the frames it came from, but for zeros before the deadline;
/// any other is refused with a line that can be shown.
void control_request(std::string_view bytes) {
  const Multipart message = frames_from(bytes, 8);
  const control::Decoded decoded = control::decode_request(message);
  if (!decoded.request) {
    check(decoded.refusal.status != control::Status::ok, "a refusal that says ok");
    check(!decoded.refusal.text.empty() && showable(decoded.refusal.text),
          "a refusal without a line of text");
    (void)control::decode_reply(control::encode(decoded.refusal));
    return;
  }
  Multipart again = control::encode(*decoded.request);
  check(message.text(2).ends_with(again.text(2)), "a request's deadline changed");
  again.replace(2, message.text(2));
  check(same_frames(again, message), "a request changed");
}

/// A reply that is taken encodes to one that says the same.
void control_reply(std::string_view bytes) {
  const Multipart message = frames_from(bytes, 3);
  const auto reply = taken(ErrorKind::refused, [&] { return control::decode_reply(message); });
  if (!reply) return;
  check(showable(reply->text), "a reply's text needs escapes");
  for (const Ledger& ledger : reply->ledgers) {
    check(showable(ledger.name + ledger.kind + ledger.state), "a ledger needs escapes");
  }
  const Multipart once = control::encode(*reply);
  check(same_frames(once, control::encode(control::decode_reply(once))), "a reply changed");
}

/// What is taken packs again to something that is taken and packs alike, and is refused with a byte
/// more or a byte less.
void msgpack_value(std::string_view bytes) {
  const auto parse_and_pack = [](std::string_view from) { return pack(detail::parse(from).get()); };
  const auto once = taken(ErrorKind::refused, [&] { return parse_and_pack(bytes); });
  if (!once) return;
  check(*once == parse_and_pack(*once), "a value changed");
  // msgpack-c packs a whole float32 (5 bytes) as an integer (up to 9).
  check(once->size() <= 2 * bytes.size(), "a value grew");
  const std::string longer = std::string(bytes) + '\xc0';
  for (const std::string_view other :
       {std::string_view(longer), bytes.substr(0, bytes.size() - 1)}) {
    check(!taken(ErrorKind::refused, [&] { return parse_and_pack(other); }),
          "took a byte too many or too few");
  }
}

/// The first frame of work that is taken encodes to one that says the same; and whatever comes, in
/// whatever order, a pusher and a puller count on and reconcile.
void work(std::string_view bytes) {
  const auto message = protocol::decode_work(bytes);
  if (message) {
    const std::string once = protocol::encode(*message);
    const auto again = protocol::decode_work(once);
    check(again && protocol::encode(*again) == once, "a message changed");
  }
  protocol::Dispatcher pusher{{.id = 9}};
  std::uint64_t drawn = 0;
  protocol::Intake puller{{.credit = 8, .draw = [&] { return ++drawn; }}};
  for (int i = 0; i < 4; ++i) pusher.push({.payload = Frame{"work", 4}});
  protocol::Outgoing out;
  TimePoint now{std::chrono::hours{1}};
  std::string_view left = bytes;
  while (!left.empty()) {
    const std::size_t end = std::min(left.find(protocol::work_signature, 1), left.size());
    pusher.on_message("a", Multipart{left.substr(0, end)}, now);
    Multipart frames{left.substr(0, end), protocol::encode({.publisher = 9, .sequence = 1}),
                     left.substr(end)};
    puller.on_message("a", frames, now);
    left.remove_prefix(end);
    for (int i = 0; i < 100 && pusher.next(out); ++i) {
    }
    for (int i = 0; i < 100 && puller.next(out); ++i) {
    }
    now += std::chrono::milliseconds{100};
    pusher.on_time(now);
    puller.on_time(now);
  }
  const auto given = pusher.counts();
  check(given.pushed == given.done + given.given_up + given.lost + given.waiting + given.out,
        "the pusher's counts do not reconcile");
  const auto got = puller.counts();
  check(got.received == got.taken + got.waiting + got.dropped + got.duplicates,
        "the puller's counts do not reconcile");
}

std::vector<std::string> endpoint_seeds() {
  return {"tcp://127.0.0.1:5555",      "tcp://*:*",    "tcp://[fe80::1%eth0]:1", "tcp://[::1]:0",
          "tcp://db-1.example.com:80", "ipc:///tmp/a", "inproc://orders",        "ipc://*"};
}

std::vector<std::string> topic_pattern_seeds() {
  return {"prices.*.usd\nprices.eur.usd",
          "prices.>\nprices.eur",
          ">\n",
          "*.b\na.b",
          "a\na",
          "é.*\né.ü",
          "a.*.c.>\na.b.c.d.e"};
}

std::vector<std::string> control_request_seeds() {
  return {"BUSBAR-CTL/1\nstatus\n", "BUSBAR-CTL/1\ndrain\n5000", "BUSBAR-CTL/1\ndrain\n86400000",
          "BUSBAR-CTL/1\npause\n"};
}

std::vector<std::string> control_reply_seeds() {
  Ledger ledger;
  ledger.name = "orders";
  ledger.kind = "queue";
  ledger.state = "running";
  ledger.topics = {{"a", 1, 2}};
  ledger.peers = {{"frontend", "127.0.0.1:1", true, 1, 1, ""}};
  const Multipart reply = control::encode(control::Reply{control::Status::ok, "", {ledger}});
  const std::string head{"BUSBAR-CTL/1\n"};
  return {head + "200\n" + std::string(reply.text(2)), head + "200\n\x90", head + "404\nno device"};
}

std::vector<std::string> work_seeds() {
  using namespace std::chrono_literals;
  using namespace protocol;
  const std::string ready = encode(Ready{.worker = 1, .session = 2, .credit = 3, .expiry = 3s});
  const std::string alive =
      encode(Alive{.pusher = 9, .session = 2, .registration = 1, .expiry = 3s});
  const std::string hand =
      encode(Hand{.registration = 1, .number = 1, .delivery = 1, .attempt = 1});
  const std::string answer =
      encode(Answer{.pusher = 9, .registration = 1, .number = 1, .runs = {{1, 2}}});
  return {ready + answer, alive + hand, ready, answer, encode(Goodbye{9})};
}

std::vector<std::string> msgpack_seeds() {
  return {"\x93\x01\xa1x\xc0"s,
          "\x81\xa1k\x92\xc2\xc3"s,
          "\xdd\x00\x00\x00\x01\x05"s,
          "\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"s,
          "\xc7\x02\x05zz"s,
          "\xca\xd0\x35\x91\x01"s,
          "\xd9\x01x"s,
          "\xd1\xff\x00"s,
          "\xcf\x00\x00\x00\x01\x00\x00\x00\x00"s,
          "\xdf\x00\x00\x00\x01\xa0\xc4\x01z"s};
}

}  // namespace busbar::fuzz

#include "fuzz/broker_targets.hpp"

#include "fuzz/targets.hpp"
#include "support/broker_world.hpp"

#include <busbar/protocol/majordomo.hpp>

namespace busbar::fuzz {

namespace {

namespace protocol = busbar::protocol::majordomo;
using namespace std::chrono_literals;

constexpr detail::WorkerRules rules{
    .heartbeat = 10ms, .expiry = 40ms, .hold_messages = 4, .hold_bytes = 256, .hold_age = 100ms};

/// Frames with `|` between them.
Multipart frames_in(std::string_view line) {
  Multipart frames;
  while (true) {
    const std::size_t end = line.find('|');
    frames.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return frames;
    line.remove_prefix(end + 1);
  }
}

/// Calls `say` for each line's frames; an empty line is 15 ms in which nothing comes.
template <class Say>
void play(std::string_view bytes, BrokerWorld& world, Say say) {
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    Multipart frames = frames_in(bytes.substr(0, end));
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    if (frames.size() == 1 && frames[0].size() == 0) {
      world.pass(15ms);
    } else {
      say(frames);
    }
    world.take();
    check(world.reconciles(), "the ledger reconciles after every message");
    check(world.broker.held() <= rules.hold_messages, "what is held has a bound");
  }
  world.broker.leave();
  check(world.reconciles(), "the ledger reconciles when the broker has left");
}

}  // namespace

/// What can be read is written to the same frames again, in both directions.
void majordomo(std::string_view bytes) {
  const Multipart frames = frames_in(bytes);
  for (const bool to_broker : {true, false}) {
    const auto message = protocol::read(frames, 0, to_broker);
    if (!message) continue;
    check(protocol::role_of(frames, 0) == message->role, "what is read has a role");
    check(message->body <= frames.size(), "the body stands in the frames");
    Multipart written;
    put_head(written, message->role, message->dialect, message->command);
    const std::size_t head = written.size();
    check(message->subject == 0 || message->subject == head, "the subject is behind the head");
    for (std::size_t i = 0; i < head; ++i) {
      check(written.text(i) == frames.text(i), "what was read is written again");
    }
  }
}

/// No frames from clients and workers break a broker's books or its bounds.
void broker(std::string_view bytes) {
  BrokerWorld world{rules};
  play(bytes, world, [&](Multipart& frames) { world.broker.on_message(frames, world.now); });
}

/// The same where workers have several requests at a time.
void broker_prefetch(std::string_view bytes) {
  detail::WorkerRules several = rules;
  several.prefetch = 2;
  BrokerWorld world{several};
  play(bytes, world, [&](Multipart& frames) { world.broker.on_message(frames, world.now); });
}

/// The same for pirates; a line that begins with `>` is a client's.
void pirates(std::string_view bytes) {
  BrokerWorld world{rules, BrokerWorld::Wire::pirate};
  play(bytes, world, [&](Multipart& frames) {
    if (!frames.text(0).starts_with('>')) return world.broker.on_pirate(frames, world.now);
    ++world.clients.received;
    world.broker.on_pirate_request(frames, world.now);
  });
}

std::vector<std::string> majordomo_seeds() {
  return {"|MDPC01|echo|hello",
          "MDPC02|\1|echo|hello",
          "MDPC02|\3|echo|hello",
          "|MDPW01|\1|echo",
          "|MDPW01|\3|c||hello",
          "MDPW02|\1|echo",
          "MDPW02|\2|c||hello",
          "MDPW02|\3|c||hello",
          "MDPW02|\4|c||hello",
          "MDPW02|\5",
          "MDPW02|\6"};
}

std::vector<std::string> broker_seeds() {
  return {
      "w|MDPW02|\1|echo\nc|MDPC02|\1|echo|hello\nw|MDPW02|\3|c||part\nw|MDPW02|\4|c||end\n",
      "w||MDPW01|\1|echo\nc||MDPC01|echo|hello\nw||MDPW01|\3|c||hello\nw||MDPW01|\4\n",
      "c||MDPC01|echo|1\nc||MDPC01|echo|2\n\n\nw|MDPW02|\1|echo\nw|MDPW02|\3|c||1\nw|MDPW02|\6\n",
      "w|MDPW02|\1|echo\nw|MDPW02|\1|echo\nc||MDPC01|mmi.service|echo\nw|MDPW02|\5\n\n\n\n\n\n"};
}

/// Answers in another order, one that is given up after its first part, and goodbyes that come
/// first.
std::vector<std::string> broker_prefetch_seeds() {
  return {
      "w|MDPW02|\1|echo\nc|MDPC02|\1|echo|1\nd|MDPC02|\1|echo|2\ne|MDPC02|\1|echo|3\n"
      "w|MDPW02|\4|d||2\nw|MDPW02|\4|c||1\nw|MDPW02|\4|e||3\n",
      "w|MDPW02|\1|echo\nc||MDPC01|echo|1\nd||MDPC01|echo|2\nw|MDPW02|\3|c||part\n"
      "w|MDPW02|\4|c|\nw|MDPW02|\3|d||part\nw|MDPW02|\5\n\n\n\n\n\n",
      "w||MDPW01|\1|echo\nc||MDPC01|echo|1\nd||MDPC01|echo|2\nw||MDPW01|\5\n"
      "c||MDPC01|mmi.service|echo\nw||MDPW01|\3|d||2\nw||MDPW01|\3|c||1\n"};
}

std::vector<std::string> pirates_seeds() {
  return {"w|\1\n>c||hello\nw|c||hello\nw|\2\n\n\n\n\n", "w||\1\n>c||hello\n\n\n\n\nw||c||hello\n",
          ">c||1\nw|\1\nv|READY\nw|\3\n"};
}

}  // namespace busbar::fuzz

/// What publishers and subscribers say to one another beside the messages, through any chain of
/// forwarders and stock proxies. lib/WIRE.md specifies it.
///
/// Upstream there is nothing but subscriptions, so a request is a subscription to a topic that
/// nobody publishes; it is taken back when it was answered. Downstream an answer is published under
/// the asking subscriber's inbox, to which it alone subscribes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <busbar/core/topic.hpp>

namespace busbar::protocol {

/// The first byte of all reserved topics. UTF-8 never has it, and libzmq, which repeats
/// subscriptions in the order of their bytes after a reconnect, repeats these last: whoever sees
/// a request knows that the subscriptions made before it are in force on the whole way.
inline constexpr char reserved_byte = '\xFF';

inline bool is_reserved(std::string_view topic) noexcept {
  return !topic.empty() && topic.front() == reserved_byte;
}

/// A subscriber's own topic: where answers come to it.
std::string inbox_topic(std::uint64_t inbox);
/// Where publishers tell how far their streams are, for all subscribers.
std::string_view heads_topic() noexcept;

/// "The subscriber with this inbox takes the topics of this pattern." It stands as long as the
/// subscriber does. One that is for a single publisher only asks for its welcome again.
struct Presence {
  std::uint64_t inbox = 0;
  std::uint32_t number = 0;     ///< Of the subscription; comes back in the welcome.
  std::uint16_t attempt = 0;    ///< Makes every request another subscription.
  std::uint64_t publisher = 0;  ///< Who is to answer; 0: all.
  TopicPattern pattern;         ///< One of more than 215 bytes travels as a raw prefix of them.
};

/// "Send me these messages of this stream again."
struct Fetch {
  std::uint64_t inbox = 0;
  std::uint64_t publisher = 0;
  std::uint32_t stream = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint16_t attempt = 0;  ///< Makes every request another subscription.
};

using Request = std::variant<Presence, Fetch>;
std::string encode(const Presence& presence);
std::string encode(const Fetch& fetch);
/// Empty: no request.
std::optional<Request> decode_request(std::string_view topic);

/// How far a stream is.
struct Position {
  std::uint32_t stream = 0;
  std::uint64_t first = 1;  ///< Where it begins for who has not met it: 1, but in a welcome.
  std::uint64_t next = 1;   ///< The sequence number of its next message.
  std::string topic = {};
};

/// The answer to a presence, behind the kept messages that a late joiner gets. Streams of matching
/// topics that are not listed begin with 1.
struct Welcome {
  std::uint64_t publisher = 0;
  std::string name;
  bool keeps = false;  ///< Whether it answers to fetches.
  std::uint32_t presence = 0;
  std::vector<Position> positions;
};

/// To everyone, after messages, and now and then as long as the streams are known: so a lost last
/// message is noticed without a next one.
struct Heads {
  std::uint64_t publisher = 0;
  std::vector<Position> positions;
};

/// The answer to a fetch, behind the messages that were fetched.
struct Fetched {
  std::uint64_t publisher = 0;
  std::uint32_t stream = 0;
  std::uint64_t last = 0;
  std::uint64_t kept_from = 0;  ///< What is before is not kept any more.
};

using Control = std::variant<Welcome, Heads, Fetched>;
std::string encode(const Welcome& welcome);
std::string encode(const Heads& heads);
std::string encode(const Fetched& fetched);
/// Whether a frame under a reserved topic is none of a message that is sent again.
bool is_control(std::string_view frame) noexcept;
/// Empty: no control frame, or one that is broken or of another version.
std::optional<Control> decode_control(std::string_view frame);

}  // namespace busbar::protocol

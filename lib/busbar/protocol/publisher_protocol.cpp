#include "busbar/protocol/publisher_protocol.hpp"

#include <algorithm>
#include <set>

#include <busbar/core/error.hpp>
#include <busbar/core/limits.hpp>
#include <busbar/core/topic.hpp>
#include <busbar/protocol/message_frame.hpp>

namespace busbar {

std::string_view name_of(LateJoin late_join) noexcept {
  constexpr std::array<std::string_view, 3> names{"nothing", "last-value", "history"};
  return names[static_cast<std::size_t>(late_join)];
}

}  // namespace busbar

namespace busbar::protocol {

namespace {

// What strangers can make us remember. Subscribers above it are welcomed, but not counted; answers
// above it are asked for again by whoever needs them.
constexpr std::size_t subscriptions_max = 100'000;
constexpr std::size_t answers_max = 100'000;
constexpr std::size_t answer_bytes_max = 64u << 20;
constexpr std::chrono::seconds expire_every{1};
constexpr char key_separator = '\xFF';  // which no topic has
// What drops the last messages of a burst may drop the news of them as well.
constexpr int tell_heads_times = 3;
constexpr int tell_heads_times_after_drop = 60;  // about a minute

}  // namespace

PublisherProtocol::PublisherProtocol(PublisherProtocolOptions options)
    : options_(std::move(options)), history_(options_.history) {}

Stream& PublisherProtocol::stream_of(std::string_view topic, std::string_view name) {
  if (!streams_.empty() && name.empty() && streams_.front().key == topic) [[likely]]
    return streams_.front();
  std::string named;
  std::string_view key = topic;
  if (!name.empty()) key = named.append(topic).append(1, key_separator).append(name);
  if (const auto known = by_key_.find(key); known != by_key_.end()) {
    streams_.splice(streams_.begin(), streams_, known->second);
    return streams_.front();
  }
  const Topic valid{topic};
  if (name.size() > limits::topic_bytes) {
    throw Error(ErrorKind::usage, "publish to a stream of '" + valid.str() + "'",
                "its name has " + std::to_string(name.size()) + " bytes",
                "at most " + std::to_string(limits::topic_bytes) + " are allowed");
  }
  if (streams_.size() >= options_.streams_max) forget_a_stream();
  Stream& stream = streams_.emplace_front();
  stream.key = key;
  stream.topic = valid.str();
  stream.number = next_stream_++;
  by_key_.emplace(stream.key, streams_.begin());
  return stream;
}

void PublisherProtocol::forget_a_stream() {
  const auto idle = std::find_if(streams_.rbegin(), streams_.rend(),
                                 [](const Stream& stream) { return stream.open_count == 0; });
  if (idle == streams_.rend()) return;
  const auto oldest = std::prev(idle.base());
  std::erase(moved_, &*oldest);
  by_key_.erase(oldest->key);
  streams_.erase(oldest);
}

Header PublisherProtocol::header_for(const Stream& stream, std::uint64_t time,
                                     std::uint32_t batch) const noexcept {
  return {.publisher = options_.id,
          .stream = stream.number,
          .sequence = stream.next,
          .time = time,
          .batch = batch,
          .headers = {}};
}

void PublisherProtocol::keep(Stream& stream, const Header& header, Frame& sent,
                             std::string_view last, const Headers& last_headers, TimePoint now) {
  history_.add(stream.number, stream.next, header.messages(), sent, now);
  stream.next += header.messages();
  tell_later(stream, tell_heads_times, now);
  if (options_.late_join != LateJoin::last_value) return;
  Header single = header;
  single.sequence = stream.next - 1;
  single.batch = 0;
  single.headers = last_headers;
  stream.last_value = encode_message(stream.topic, single, last);
}

void PublisherProtocol::tell_later(Stream& stream, int times, TimePoint now) {
  if (stream.heads_left >= times) return;
  if (stream.heads_left == 0) moved_.push_back(&stream);
  stream.heads_left = times;
  heads_due_ = std::min(heads_due_, now + options_.heads_after);
}

void PublisherProtocol::note_drop(std::uint32_t number, TimePoint now) {
  // What was just sent in it made it the last used, or nearly so.
  const auto known = std::find_if(streams_.begin(), streams_.end(),
                                  [&](const Stream& stream) { return stream.number == number; });
  if (known != streams_.end()) tell_later(*known, tell_heads_times_after_drop, now);
}

void PublisherProtocol::on_subscription(std::string_view message, TimePoint now) {
  if (message.empty() || message.front() < 0 || message.front() > 1) return;
  const bool on = message.front() == 1;
  const std::string_view topic = message.substr(1);
  if (!is_reserved(topic)) {
    const auto known = subscriptions_.find(topic);
    if (on && known != subscriptions_.end()) {
      known->second = {known->second.times + 1, now};
    } else if (on && subscriptions_.size() < subscriptions_max) {
      subscriptions_.emplace(topic, Made{1, now});
    } else if (!on && known != subscriptions_.end() && --known->second.times == 0) {
      subscriptions_.erase(known);
    }
    return;
  }
  const auto request = decode_request(topic);
  if (!request) return;
  history_.expire(now);
  const auto* presence = std::get_if<Presence>(&*request);
  if (presence == nullptr) {
    if (on) answer(std::get<Fetch>(*request));
  } else if (!on) {
    presences_.erase(std::string{topic});
  } else {
    if (presences_.size() < subscriptions_max) {
      presences_.insert_or_assign(std::string{topic}, *presence);
    }
    welcome(*presence);
  }
}

void PublisherProtocol::welcome(const Presence& presence) {
  Welcome welcome{.publisher = options_.id,
                  .name = options_.name,
                  .keeps = history_.keeps(),
                  .presence = presence.number,
                  .positions = {}};
  for (Stream& stream : streams_) {
    if (!presence.pattern.matches(stream.topic)) continue;
    welcome.positions.push_back({stream.number, stream.next});
    if (options_.late_join == LateJoin::last_value && stream.last_value.size() > 0) {
      send_kept(presence.inbox, stream.last_value);
    } else if (options_.late_join == LateJoin::history) {
      history_.each(stream.number, 1, stream.next,
                    [&](Kept& kept) { send_kept(presence.inbox, kept.frame); });
    }
  }
  send_control(inbox_topic(presence.inbox), encode(welcome));
}

void PublisherProtocol::answer(const Fetch& fetch) {
  if (fetch.publisher != options_.id || answers_.size() >= answers_max) return;
  history_.each(fetch.stream, fetch.first, fetch.last,
                [&](Kept& kept) { send_kept(fetch.inbox, kept.frame); });
  send_control(inbox_topic(fetch.inbox),
               encode(Fetched{.publisher = options_.id,
                              .stream = fetch.stream,
                              .last = fetch.last,
                              .kept_from = history_.kept_from(fetch.stream, fetch.last + 1)}));
}

void PublisherProtocol::send_kept(std::uint64_t inbox, Frame& kept) {
  const std::size_t bytes = kept.size();
  const bool full = answers_.size() >= answers_max || answer_bytes_ + bytes > answer_bytes_max;
  if (full && !answers_.empty()) return;
  answer_bytes_ += bytes;
  Multipart& answer = answers_.emplace_back();
  answer.push_back(inbox_topic(inbox));
  answer.grow().copy(kept);
}

void PublisherProtocol::send_control(std::string_view topic, std::string_view control) {
  if (answers_.size() < answers_max) answers_.push_back(Multipart{topic, control});
}

void PublisherProtocol::tell_heads(TimePoint now) {
  Heads heads{.publisher = options_.id, .positions = {}};
  for (Stream* stream : moved_) {
    heads.positions.push_back({stream->number, stream->next});
    --stream->heads_left;
  }
  std::erase_if(moved_, [](const Stream* stream) { return stream->heads_left == 0; });
  heads_due_ = moved_.empty() ? TimePoint::max() : now + 10 * options_.heads_after;
  send_control(heads_topic(), encode(heads));
}

std::size_t PublisherProtocol::subscribers_of(std::string_view topic, TimePoint now) const {
  // A Busbar subscriber makes its plain subscription as well, and plain ones are merged on their
  // way through a forwarder: so of each prefix, those beyond Busbar's own count.
  std::map<std::string_view, std::size_t> ours;
  std::set<std::uint64_t> inboxes;  // one that takes it by several patterns is still one
  for (const auto& [text, presence] : presences_) {
    const std::string_view prefix = presence.pattern.prefix();
    if (!topic.starts_with(prefix)) continue;
    ++ours[prefix];
    if (presence.pattern.matches(topic)) inboxes.insert(presence.inbox);
  }
  std::size_t subscribers = inboxes.size();
  for (const auto& [prefix, made] : subscriptions_) {
    if (!topic.starts_with(prefix) || now - made.last < options_.stock_after) continue;
    const auto same = ours.find(prefix);
    const std::size_t counted = same == ours.end() ? 0 : same->second;
    if (made.times > counted) subscribers += made.times - counted;
  }
  return subscribers;
}

bool PublisherProtocol::next_answer(Multipart& into) {
  if (answers_.empty()) return false;
  into = std::move(answers_.front());
  answers_.pop_front();
  if (!is_control(into.text(1))) answer_bytes_ -= into[1].size();
  return true;
}

void PublisherProtocol::tick(TimePoint now) {
  if (now >= heads_due_) tell_heads(now);
  if (now < expire_due_) return;
  expire_due_ = now + expire_every;
  history_.expire(now);
}

TimePoint PublisherProtocol::next_deadline() const noexcept {
  return std::min(heads_due_, history_.messages() > 0 ? expire_due_ : TimePoint::max());
}

}  // namespace busbar::protocol

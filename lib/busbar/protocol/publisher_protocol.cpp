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

// What strangers can make us remember. Subscribers above it are welcomed, but not counted; requests
// above it are made again by whoever needs an answer.
constexpr std::size_t subscriptions_max = 100'000;
constexpr std::size_t requests_max = 100'000;
constexpr std::chrono::seconds expire_every{1};
constexpr char key_separator = '\xFF';  // which no topic has

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
  by_number_.emplace(stream.number, &stream);
  return stream;
}

void PublisherProtocol::forget_a_stream() {
  const auto idle = std::find_if(streams_.rbegin(), streams_.rend(),
                                 [](const Stream& stream) { return stream.open_count == 0; });
  if (idle == streams_.rend()) return;
  const auto oldest = std::prev(idle.base());
  heads_.forget(*oldest);
  drop_last_value(*oldest);
  history_.forget(oldest->number);
  by_number_.erase(oldest->number);
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
  heads_.on_message(stream, now);
  if (options_.late_join == LateJoin::last_value) {
    keep_last_value(stream, header, last, last_headers);
  }
}

void PublisherProtocol::keep_last_value(Stream& stream, Header header, std::string_view last,
                                        const Headers& last_headers) {
  drop_last_value(stream);
  header.sequence = stream.next - 1;
  header.batch = 0;
  header.headers = last_headers;
  stream.last_value = encode_message(stream.topic, header, last);
  last_value_bytes_ += stream.last_value.size();
  stream.last_value_at = last_values_.insert(last_values_.begin(), &stream);
  while (last_value_bytes_ > options_.history.bytes) drop_last_value(*last_values_.back());
}

void PublisherProtocol::drop_last_value(Stream& stream) {
  if (stream.last_value.size() == 0) return;
  last_value_bytes_ -= stream.last_value.size();
  last_values_.erase(stream.last_value_at);
  stream.last_value.rebuild();
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
  on_request(topic, on, now);
}

void PublisherProtocol::on_request(std::string_view text, bool on, TimePoint now) {
  const auto request = decode_request(text);
  if (!request) return;
  history_.expire(now);
  withdraw(text);
  const auto* const presence = std::get_if<Presence>(&*request);
  const std::uint64_t asks =
      presence != nullptr ? presence->publisher : std::get<Fetch>(*request).publisher;
  // One that is for a publisher asks, and stands for nobody.
  const bool stands = presence != nullptr && asks == 0;
  if (stands && !on) presences_.erase(std::string{text});
  if (stands && on && presences_.size() < subscriptions_max) {
    presences_.insert_or_assign(std::string{text}, *presence);
  }
  if (on && (stands || asks == options_.id)) ask(text, *request);
}

void PublisherProtocol::ask(std::string_view text, const Request& request) {
  if (asked_.size() >= requests_max) return;
  Asked& asked = asked_.emplace_back(Asked{std::string{text}, request});
  if (const auto* fetch = std::get_if<Fetch>(&request)) {
    asked.left = history_.range(fetch->stream, fetch->first, fetch->last);
  } else if (options_.late_join == LateJoin::last_value) {
    asked.left = {0, next_stream_};
  } else if (options_.late_join == LateJoin::history) {
    asked.left = history_.all();
  }
  asked_by_text_.emplace(asked.text, std::prev(asked_.end()));
}

void PublisherProtocol::withdraw(std::string_view text) {
  const auto known = asked_by_text_.find(text);
  if (known == asked_by_text_.end()) return;
  const auto asked = known->second;
  asked_by_text_.erase(known);  // before the text that is its key
  asked_.erase(asked);
}

bool PublisherProtocol::next_answer(Multipart& into) {
  into.clear();
  if (heads_.anything_due()) {
    into.push_back(heads_topic());
    into.push_back(heads());
    return true;
  }
  if (asked_.empty()) return false;
  Asked& asked = asked_.front();
  into.push_back(
      std::visit([](const auto& known) { return inbox_topic(known.inbox); }, asked.request));
  if (Frame* const kept = next_kept(asked)) {
    into.grow().copy(*kept);
    asked_.splice(asked_.end(), asked_, asked_.begin());
    return true;
  }
  const auto* const fetch = std::get_if<Fetch>(&asked.request);
  into.push_back(fetch != nullptr ? encode(fetched(*fetch))
                                  : encode(welcome(std::get<Presence>(asked.request))));
  withdraw(asked.text);
  return true;
}

Frame* PublisherProtocol::next_kept(Asked& asked) {
  Kept* kept = nullptr;
  if (const auto* fetch = std::get_if<Fetch>(&asked.request)) {
    kept = history_.next(asked.left, [&](const Kept& one) { return one.stream == fetch->stream; });
  } else {
    const TopicPattern& pattern = std::get<Presence>(asked.request).pattern;
    if (options_.late_join == LateJoin::last_value) return next_last_value(pattern, asked.left);
    kept = history_.next(asked.left, [&](const Kept& one) {
      return pattern.matches(by_number_.at(one.stream)->topic);
    });
  }
  return kept == nullptr ? nullptr : &kept->frame;
}

Frame* PublisherProtocol::next_last_value(const TopicPattern& pattern, History::Range& streams) {
  auto known = by_number_.lower_bound(static_cast<std::uint32_t>(streams.at));
  for (; known != by_number_.end() && known->first < streams.end; ++known) {
    Stream& stream = *known->second;
    streams.at = stream.number + 1;
    if (stream.last_value.size() > 0 && pattern.matches(stream.topic)) return &stream.last_value;
  }
  streams.at = streams.end;
  return nullptr;
}

Welcome PublisherProtocol::welcome(const Presence& presence) const {
  Welcome welcome{.publisher = options_.id,
                  .name = options_.name,
                  .keeps = history_.keeps(),
                  .presence = presence.number,
                  .positions = {}};
  for (const Stream& stream : streams_) {
    if (!presence.pattern.matches(stream.topic)) continue;
    std::uint64_t first = stream.next;
    if (stream.last_value.size() > 0) --first;
    if (options_.late_join == LateJoin::history) first = history_.kept_from(stream.number, first);
    welcome.positions.push_back({stream.number, first, stream.next, stream.topic});
  }
  return welcome;
}

Fetched PublisherProtocol::fetched(const Fetch& fetch) const {
  return {.publisher = options_.id,
          .stream = fetch.stream,
          .last = fetch.last,
          .kept_from = history_.kept_from(fetch.stream, fetch.last + 1)};
}

std::string PublisherProtocol::heads() {
  Heads heads{.publisher = options_.id, .positions = {}};
  for (const Stream* stream : heads_.take()) {
    heads.positions.push_back({stream->number, 1, stream->next, stream->topic});
  }
  return encode(heads);
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

void PublisherProtocol::tick(TimePoint now) {
  heads_.tick(now);
  if (now < expire_due_) return;
  expire_due_ = now + expire_every;
  history_.expire(now);
}

TimePoint PublisherProtocol::next_deadline() const noexcept {
  return std::min(heads_.next_deadline(), history_.messages() > 0 ? expire_due_ : TimePoint::max());
}

}  // namespace busbar::protocol

#include "busbar/patterns/internal/subscriber_protocol.hpp"

#include <algorithm>

namespace busbar::detail {

namespace {

constexpr std::uint64_t fetch_max = 100'000;      // messages asked for at one time
constexpr std::chrono::minutes longest_pause{1};  // between two announcements

}  // namespace

SubscriberProtocol::SubscriberProtocol(SubscriberProtocolOptions options) : options_(options) {}

protocol::Presence SubscriberProtocol::presence_of(const Pattern& pattern) const {
  return {.inbox = options_.inbox,
          .number = pattern.number,
          .attempt = pattern.attempt,
          .publisher = 0,
          .pattern = pattern.pattern};
}

void SubscriberProtocol::subscribe(const TopicPattern& pattern) {
  if (patterns_.empty()) {
    changes_.push_back({protocol::inbox_topic(options_.inbox), true});
    changes_.push_back({std::string{protocol::heads_topic()}, true});
  }
  patterns_.push_back(
      {.pattern = pattern, .number = next_number_++, .again = {.pause = options_.announce_after}});
  changes_.push_back({std::string{pattern.prefix()}, true});
  changes_.push_back({encode(presence_of(patterns_.back())), true});
  deadline_ = TimePoint::min();  // then we are told what time it is
}

void SubscriberProtocol::unsubscribe(const TopicPattern& pattern) {
  const auto known = std::find_if(patterns_.begin(), patterns_.end(),
                                  [&](const Pattern& p) { return p.pattern == pattern; });
  if (known == patterns_.end()) return;
  const std::uint32_t number = known->number;
  changes_.push_back({encode(presence_of(*known)), false});
  changes_.push_back({std::string{pattern.prefix()}, false});
  patterns_.erase(known);
  latest_wanted_.clear();
  end_asks(number, {});
  for (auto& [id, publisher] : publishers_) std::erase(publisher.welcomed, number);
  forget_unwanted();
}

/// What is still published in a stream that nobody takes any more is no loss; who takes it again
/// joins it anew.
void SubscriberProtocol::forget_unwanted() {
  for (auto& [id, publisher] : publishers_) {
    for (auto entry = publisher.streams.begin(); entry != publisher.streams.end();) {
      Stream& stream = entry->second;
      if (is_wanted(stream.topic)) {
        ++entry;
        continue;
      }
      for (const auto& [first, arrival] : stream.waiting) {
        counts_.waiting -= arrival.messages();
        counts_.unwanted += arrival.messages();
        waiting_bytes_ -= arrival.bytes();
      }
      end_fetch(stream);
      unsettled_.erase(&stream);
      entry = publisher.streams.erase(entry);
      --stream_count_;
    }
  }
  latest_ = nullptr;
}

bool SubscriberProtocol::is_ready(std::size_t publishers) const noexcept {
  return std::all_of(patterns_.begin(), patterns_.end(),
                     [&](const Pattern& pattern) { return is_welcomed(pattern, publishers); });
}

bool SubscriberProtocol::is_welcomed(const Pattern& pattern,
                                     std::size_t publishers) const noexcept {
  if (!pattern.welcomed || publishers <= 1) return pattern.welcomed;
  const auto welcomes = [&](const auto& known) {
    const auto& welcomed = known.second.welcomed;
    return std::find(welcomed.begin(), welcomed.end(), pattern.number) != welcomed.end();
  };
  const auto found = std::count_if(publishers_.begin(), publishers_.end(), welcomes);
  return static_cast<std::size_t>(found) >= publishers;
}

void SubscriberProtocol::expect(std::size_t publishers) noexcept {
  expected_ = publishers;
  deadline_ = TimePoint::min();
}

/// Whether it is time to say it again; then the next time is set.
bool SubscriberProtocol::is_due(Repeat& again, TimePoint not_before, TimePoint now) {
  if (again.at == TimePoint::min()) again.at = now + again.pause;
  const TimePoint at = std::max(again.at, not_before);
  if (now >= at) {
    again.pause = std::min<std::chrono::milliseconds>(2 * again.pause, longest_pause);
    again.at = now + again.pause;
  }
  deadline_ = std::min(deadline_, now >= at ? again.at : at);
  return now >= at;
}

void SubscriberProtocol::announce_again(TimePoint now) {
  for (Pattern& pattern : patterns_) {
    if (is_welcomed(pattern, expected_)) continue;
    const auto asked = asks_.lower_bound({pattern.number, 0});
    // Who is heard is asked alone, as others would answer with all that late joiners get.
    if (asked != asks_.end() && asked->first.first == pattern.number) continue;
    if (!is_due(pattern.again, now, now)) continue;
    const std::string before = encode(presence_of(pattern));
    ++pattern.attempt;
    changes_.push_back({encode(presence_of(pattern)), true});
    changes_.push_back({before, false});
  }
  for (auto& [whom, ask] : asks_) {
    const std::uint32_t number = whom.first;
    const std::uint64_t publisher = whom.second;
    // One that is still sending what late joiners get will welcome us behind it.
    const TimePoint not_before = publishers_.at(publisher).answered_at + ask.again.pause;
    if (!is_due(ask.again, not_before, now)) continue;
    const auto pattern = std::find_if(patterns_.begin(), patterns_.end(),
                                      [&](const Pattern& p) { return p.number == number; });
    protocol::Presence request = presence_of(*pattern);
    request.publisher = publisher;
    request.attempt = next_attempt_++;
    std::string text = encode(request);
    changes_.push_back({text, true});
    if (!ask.standing.empty()) changes_.push_back({std::move(ask.standing), false});
    ask.standing = std::move(text);
  }
}

/// It is heard, so it should have welcomed us for some pattern of that topic.
void SubscriberProtocol::miss_welcome(const Publisher& publisher, std::string_view topic,
                                      TimePoint now) {
  const auto pattern = std::find_if(patterns_.begin(), patterns_.end(),
                                    [&](const Pattern& p) { return p.pattern.matches(topic); });
  if (pattern == patterns_.end()) return;
  const auto [place, is_new] = asks_.try_emplace({pattern->number, publisher.id});
  if (!is_new) return;
  place->second.again = {.at = now + options_.announce_after, .pause = options_.announce_after};
  deadline_ = std::min(deadline_, place->second.again.at);
}

/// Of one pattern, of one publisher, or of both.
void SubscriberProtocol::end_asks(std::optional<std::uint32_t> pattern,
                                  std::optional<std::uint64_t> publisher) {
  std::erase_if(asks_, [&](auto& entry) {
    auto& [key, ask] = entry;
    if ((pattern && *pattern != key.first) || (publisher && *publisher != key.second)) return false;
    if (!ask.standing.empty()) changes_.push_back({std::move(ask.standing), false});
    return true;
  });
}

void SubscriberProtocol::hand_out(Arrival&& arrival) {
  ready_messages_ += arrival.messages();
  ready_bytes_ += arrival.bytes();
  ready_.push_back(std::move(arrival));
}

void SubscriberProtocol::done() {
  if (const auto* arrival = std::get_if<Arrival>(&ready_.front())) {
    ready_messages_ -= arrival->messages();
    ready_bytes_ -= arrival->bytes();
  }
  ready_.pop_front();
}

bool SubscriberProtocol::has_much() const noexcept {
  return ready_messages_ >= options_.waiting_messages || ready_bytes_ >= options_.waiting_bytes;
}

void SubscriberProtocol::deliver(Stream& stream, Arrival&& arrival) {
  if (arrival.end() <= stream.next) {
    counts_.duplicates += arrival.messages();
    return;
  }
  if (arrival.first() < stream.next) {
    counts_.duplicates += stream.next - arrival.first();
    arrival.skip_to(stream.next);
  }
  const std::uint64_t messages = arrival.end() - std::max(arrival.first(), stream.next);
  counts_.delivered += messages;
  if (arrival.was_fetched) counts_.recovered += messages;
  stream.next = arrival.end();
  stream.attempts = 0;
  hand_out(std::move(arrival));
}

void SubscriberProtocol::wait(Stream& stream, Arrival&& arrival) {
  const auto same = stream.waiting.find(arrival.first());
  if (same != stream.waiting.end()) {
    if (same->second.messages() > arrival.messages()) {
      counts_.duplicates += arrival.messages();
      return;
    }
    counts_.duplicates += same->second.messages();
    counts_.waiting -= same->second.messages();
    waiting_bytes_ -= same->second.bytes();
    stream.waiting.erase(same);
  }
  counts_.waiting += arrival.messages();
  waiting_bytes_ += arrival.bytes();
  const std::uint64_t first = arrival.first();
  stream.waiting.emplace(first, std::move(arrival));
}

void SubscriberProtocol::take_waiting(Stream& stream) {
  while (!stream.waiting.empty() && stream.waiting.begin()->first <= stream.next) {
    auto front = stream.waiting.extract(stream.waiting.begin());
    counts_.waiting -= front.mapped().messages();
    waiting_bytes_ -= front.mapped().bytes();
    deliver(stream, std::move(front.mapped()));
  }
}

std::uint64_t SubscriberProtocol::Stream::gap_end() const noexcept {
  return waiting.empty() ? std::max(head, next) : waiting.begin()->first;
}

void SubscriberProtocol::settle(Stream& stream, TimePoint now) {
  take_waiting(stream);
  if (stream.fetch && stream.fetch->request.last < stream.next) end_fetch(stream);
  while (stream.gap_end() > stream.next) {
    if (stream.fetch) return;
    if (options_.recover && stream.publisher->keeps) {
      fetch(stream, now);
      return;
    }
    give_up(stream, stream.gap_end() - 1, GapCause::not_kept);
  }
  end_fetch(stream);
  unsettled_.erase(&stream);
}

void SubscriberProtocol::fetch(Stream& stream, TimePoint now) {
  const std::uint64_t last = std::min(stream.gap_end() - 1, stream.next + fetch_max - 1);
  const protocol::Fetch request{.inbox = options_.inbox,
                                .publisher = stream.publisher->id,
                                .stream = stream.number,
                                .first = stream.next,
                                .last = last,
                                .attempt = next_attempt_++};
  ++stream.attempts;
  stream.fetch = Outstanding{request, now + options_.fetch_wait};
  changes_.push_back({encode(request), true});
  watch(stream, stream.fetch->again_at);
}

void SubscriberProtocol::end_fetch(Stream& stream) {
  if (!stream.fetch) return;
  changes_.push_back({encode(stream.fetch->request), false});
  stream.fetch.reset();
}

void SubscriberProtocol::give_up(Stream& stream, std::uint64_t last, GapCause cause) {
  end_fetch(stream);
  counts_.lost += last - stream.next + 1;
  ready_.push_back(Gap{.publisher = stream.publisher->id,
                       .publisher_name = stream.publisher->name,
                       .topic = stream.topic,
                       .first = stream.next,
                       .last = last,
                       .cause = cause});
  stream.next = last + 1;
  stream.attempts = 0;
  take_waiting(stream);
}

void SubscriberProtocol::keep_within_bounds(Stream& stream, TimePoint now) {
  const auto over = [this] {
    return counts_.waiting > options_.waiting_messages || waiting_bytes_ > options_.waiting_bytes;
  };
  while (over() && !stream.waiting.empty()) {
    if (stream.next == 0) stream.next = stream.waiting.begin()->first;
    if (stream.gap_end() > stream.next) give_up(stream, stream.gap_end() - 1, GapCause::no_room);
    settle(stream, now);
  }
}

void SubscriberProtocol::forget(std::uint64_t publisher) {
  const auto known = publishers_.find(publisher);
  for (auto& [number, stream] : known->second.streams) {
    if (stream.next == 0 && !stream.waiting.empty()) stream.next = stream.waiting.begin()->first;
    while (!stream.waiting.empty()) {
      take_waiting(stream);
      if (stream.gap_end() > stream.next) {
        give_up(stream, stream.gap_end() - 1, GapCause::unanswered);
      }
    }
    end_fetch(stream);
    unsettled_.erase(&stream);
  }
  end_asks({}, publisher);
  stream_count_ -= known->second.streams.size();
  publishers_.erase(known);
  latest_ = nullptr;
}

void SubscriberProtocol::forget_if_too_many() {
  if (stream_count_ < options_.streams_max && publishers_.size() < options_.publishers_max) return;
  std::vector<std::uint64_t> gone;
  for (const auto& [id, publisher] : publishers_) {
    if (publisher.succeeded) gone.push_back(id);
  }
  for (const std::uint64_t id : gone) forget(id);
  if (!gone.empty()) return forget_if_too_many();
  while (!publishers_.empty()) forget(publishers_.begin()->first);
  shared_names_.clear();
}

std::optional<SubscriptionChange> SubscriberProtocol::next_change() {
  if (changes_.empty()) return std::nullopt;
  std::optional<SubscriptionChange> front{std::move(changes_.front())};
  changes_.pop_front();
  return front;
}

/// Nobody promises an order between topics, but it should not be that of a hash table.
void SubscriberProtocol::in_order_of_arrival(std::vector<Stream*>& streams) {
  const auto first = [](const Stream* stream) {
    return stream->waiting.empty() ? UINT64_MAX : stream->waiting.begin()->second.number;
  };
  std::stable_sort(streams.begin(), streams.end(),
                   [&](const Stream* a, const Stream* b) { return first(a) < first(b); });
}

void SubscriberProtocol::watch(Stream& stream, TimePoint until) {
  unsettled_.insert(&stream);
  deadline_ = std::min(deadline_, until);
}

void SubscriberProtocol::tick(TimePoint now) {
  if (now < deadline_) return;
  deadline_ = TimePoint::max();
  announce_again(now);
  std::vector<Stream*> unsettled{unsettled_.begin(), unsettled_.end()};
  in_order_of_arrival(unsettled);
  for (Stream* stream : unsettled) {
    if (stream->next == 0) {
      // A publisher that sends what late joiners get has more of it, and then its welcome.
      const TimePoint until =
          std::max(stream->join_until, stream->publisher->answered_at + options_.join_wait);
      if (now < until) {
        watch(*stream, until);
        continue;
      }
      stream->next = stream->waiting.begin()->first;
    }
    if (stream->fetch && now < stream->fetch->again_at) {
      watch(*stream, stream->fetch->again_at);
      continue;
    }
    const bool tired = stream->fetch && stream->attempts >= options_.fetch_attempts;
    end_fetch(*stream);
    // A publisher that did not answer for this gap would not for the next one either.
    while (tired && stream->gap_end() > stream->next) {
      give_up(*stream, stream->gap_end() - 1, GapCause::unanswered);
    }
    settle(*stream, now);
  }
}

}  // namespace busbar::detail

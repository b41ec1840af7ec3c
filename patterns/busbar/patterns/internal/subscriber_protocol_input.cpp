#include "busbar/patterns/internal/subscriber_protocol.hpp"

#include <algorithm>

namespace busbar::detail {

namespace {

// What a publisher said before it died has come by then, whatever its way.
constexpr std::chrono::seconds outlives{5};

}  // namespace

bool SubscriberProtocol::is_wanted(std::string_view topic) {
  if (!topic.empty() && topic == latest_wanted_) return true;
  const bool wanted = std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& pattern) {
    return pattern.pattern.matches(topic);
  });
  if (wanted) latest_wanted_ = topic;
  return wanted;
}

void SubscriberProtocol::receive(Multipart& frames, TimePoint now) {
  if (!frames.empty() && protocol::is_reserved(frames.text(0))) {
    receive_reserved(frames, now);
    return;
  }
  auto arrival = Arrival::from(frames);
  counts_.received += arrival ? arrival->messages() : 1;
  if (!arrival) {
    ++counts_.malformed;
  } else if (!is_wanted(arrival->topic())) {
    counts_.unwanted += arrival->messages();
  } else if (arrival->has_header()) {
    accept(std::move(*arrival), false, now);
  } else {
    ++counts_.delivered;
    hand_out(std::move(*arrival));
  }
}

void SubscriberProtocol::receive_reserved(Multipart& frames, TimePoint now) {
  const bool to_all = frames.text(0) == protocol::heads_topic();
  if (!to_all && frames.text(0) != protocol::inbox_topic(options_.inbox)) return;
  if (frames.size() == 2 && protocol::is_control(frames.text(1))) {
    const auto control = protocol::decode_control(frames.text(1));
    if (control) std::visit([&](const auto& known) { on_control(known, now); }, *control);
    if (control) return;
    ++counts_.received;
    ++counts_.malformed;
    return;
  }
  (void)frames.pop_front();
  auto arrival = Arrival::from(frames);
  counts_.received += arrival ? arrival->messages() : 1;
  if (!arrival || !arrival->has_header()) {
    ++counts_.malformed;
  } else if (!is_wanted(arrival->topic())) {
    counts_.unwanted += arrival->messages();
  } else {
    accept(std::move(*arrival), true, now);
  }
}

SubscriberProtocol::Stream& SubscriberProtocol::stream_of(std::uint64_t id, std::uint32_t number) {
  if (latest_ != nullptr && latest_->number == number && latest_->publisher->id == id) [[likely]] {
    return *latest_;
  }
  Publisher& publisher = publishers_[id];
  publisher.id = id;
  const auto [place, is_new] = publisher.streams.try_emplace(number);
  Stream& stream = place->second;
  if (is_new) {
    ++stream_count_;
    stream.publisher = &publisher;
    stream.number = number;
  }
  latest_ = &stream;
  return stream;
}

void SubscriberProtocol::accept(Arrival&& arrival, bool to_us, TimePoint now) {
  forget_if_too_many();
  Stream& stream = stream_of(arrival.header().publisher, arrival.header().stream);
  if (stream.topic.empty()) stream.topic = arrival.topic();
  if (stream.next == 0) {
    if (knows_beginning(*stream.publisher, stream.topic)) {
      stream.next = 1;
    } else {
      miss_welcome(*stream.publisher, stream.topic, now);
    }
  }
  arrival.number = counts_.received;
  if (to_us) {
    stream.publisher->answered_at = now;
    const auto& fetch = stream.fetch;
    arrival.was_fetched =
        fetch && arrival.first() <= fetch->request.last && arrival.end() > fetch->request.first;
  }
  const bool in_order = stream.next != 0 && arrival.first() <= stream.next;
  if (in_order && stream.waiting.empty() && !stream.fetch) [[likely]] {
    deliver(stream, std::move(arrival));
    return;
  }
  wait(stream, std::move(arrival));
  if (stream.next == 0) {
    if (stream.join_until == TimePoint::max()) stream.join_until = now + options_.join_wait;
    watch(stream, stream.join_until);
  } else {
    settle(stream, now);
  }
  keep_within_bounds(stream, now);
}

bool SubscriberProtocol::knows_beginning(const Publisher& publisher,
                                         std::string_view topic) const noexcept {
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& pattern) {
    const auto& welcomed = publisher.welcomed;
    return pattern.pattern.matches(topic) &&
           std::find(welcomed.begin(), welcomed.end(), pattern.number) != welcomed.end();
  });
}

/// Whoever had its name before was restarted as this one. It is not forgotten before room is
/// wanted: it may live, and be silent.
void SubscriberProtocol::meet(const protocol::Welcome& welcome, TimePoint now) {
  if (welcome.name.empty() || shared_names_.contains(welcome.name)) return;
  const auto known = publishers_.find(welcome.publisher);
  if (known != publishers_.end() && known->second.succeeded) return note_life(known->second, now);
  for (auto& [id, publisher] : publishers_) {
    if (publisher.name != welcome.name || id == welcome.publisher || publisher.succeeded) continue;
    publisher.succeeded = now;
    ready_.push_back(Gap{.publisher = id,
                         .publisher_name = welcome.name,
                         .topic = {},
                         .cause = GapCause::publisher_restarted});
  }
}

/// One that had a successor and still speaks lives beside it.
void SubscriberProtocol::note_life(Publisher& publisher, TimePoint now) {
  if (!publisher.succeeded || now - *publisher.succeeded < outlives) return;
  shared_names_.insert(publisher.name);
  for (auto& [id, other] : publishers_) {
    if (other.name == publisher.name) other.succeeded.reset();
  }
  ready_.push_back(Gap{.publisher = publisher.id,
                       .publisher_name = publisher.name,
                       .topic = {},
                       .cause = GapCause::name_shared});
}

void SubscriberProtocol::on_control(const protocol::Welcome& welcome, TimePoint now) {
  const auto pattern = std::find_if(patterns_.begin(), patterns_.end(),
                                    [&](const Pattern& p) { return p.number == welcome.presence; });
  if (pattern == patterns_.end()) return;  // answers what was asked before, and not any more
  pattern->welcomed = true;
  forget_if_too_many();
  meet(welcome, now);
  end_asks(welcome.presence, welcome.publisher);
  Publisher& publisher = publishers_[welcome.publisher];
  publisher.id = welcome.publisher;
  publisher.name = welcome.name;
  publisher.keeps = welcome.keeps;
  auto& welcomed = publisher.welcomed;
  const bool again =
      std::find(welcomed.begin(), welcomed.end(), welcome.presence) != welcomed.end();
  if (!again) welcomed.push_back(welcome.presence);
  std::vector<Stream*> joined;
  for (const protocol::Position& position : welcome.positions) {
    if (stream_count_ >= options_.streams_max) break;
    if (!is_wanted(position.topic)) continue;
    Stream& stream = stream_of(welcome.publisher, position.stream);
    if (stream.next == 0) {
      // A stream that is new since an earlier welcome is ours from its beginning.
      const bool waits = !stream.waiting.empty();
      const std::uint64_t first = position.first;
      stream.next = again ? 1 : waits ? std::min(first, stream.waiting.begin()->first) : first;
    }
    if (stream.topic.empty()) stream.topic = position.topic;
    stream.head = std::max(stream.head, position.next);
    joined.push_back(&stream);
  }
  // What began after the welcome was made is not in its positions.
  for (auto& [number, stream] : publisher.streams) {
    if (stream.next != 0 || !knows_beginning(publisher, stream.topic)) continue;
    stream.next = 1;
    joined.push_back(&stream);
  }
  in_order_of_arrival(joined);
  for (Stream* stream : joined) settle(*stream, now);
}

void SubscriberProtocol::on_control(const protocol::Heads& heads, TimePoint now) {
  forget_if_too_many();
  const auto known = publishers_.find(heads.publisher);
  if (known != publishers_.end()) note_life(known->second, now);
  for (const protocol::Position& position : heads.positions) {
    if (position.next <= 1) continue;
    Stream* const stream = known_or_begun(position, heads.publisher, now);
    if (stream == nullptr) continue;
    stream->head = std::max(stream->head, position.next);
    if (stream->next != 0) settle(*stream, now);
  }
}

/// The stream that a head is of. Null: it is not ours, or not known to be before a welcome.
SubscriberProtocol::Stream* SubscriberProtocol::known_or_begun(const protocol::Position& position,
                                                               std::uint64_t id, TimePoint now) {
  const auto known = publishers_.find(id);
  if (known != publishers_.end()) {
    const auto stream = known->second.streams.find(position.stream);
    if (stream != known->second.streams.end()) return &stream->second;
  }
  if (!is_wanted(position.topic)) return nullptr;
  Publisher& publisher = publishers_[id];
  publisher.id = id;
  if (!knows_beginning(publisher, position.topic)) {
    miss_welcome(publisher, position.topic, now);
    return nullptr;
  }
  if (stream_count_ >= options_.streams_max) return nullptr;
  Stream& stream = stream_of(id, position.stream);
  stream.topic = position.topic;
  stream.next = 1;
  return &stream;
}

void SubscriberProtocol::on_control(const protocol::Fetched& fetched, TimePoint now) {
  const auto publisher = publishers_.find(fetched.publisher);
  if (publisher == publishers_.end()) return;
  const auto known = publisher->second.streams.find(fetched.stream);
  if (known == publisher->second.streams.end() || !known->second.fetch) return;
  Stream& stream = known->second;
  const std::uint64_t lost_end = std::min({fetched.kept_from, fetched.last + 1, stream.gap_end()});
  if (lost_end > stream.next) give_up(stream, lost_end - 1, GapCause::not_kept);
  settle(stream, now);
}

}  // namespace busbar::detail

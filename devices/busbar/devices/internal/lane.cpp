#include "busbar/devices/internal/lane.hpp"

#include <algorithm>

#include <busbar/core/internal/frames.hpp>

namespace busbar::detail {

namespace {

/// Stages are the user's code, so a burst through them is bounded in time as well.
constexpr std::chrono::milliseconds longest_burst{5};
/// Answers of caches before messages have their turn, and how long one waits for room.
constexpr std::size_t answer_burst = 1000;
constexpr std::chrono::milliseconds answer_wait{500};

bool has_stages(const Hops& hops) {
  return std::any_of(hops.begin(), hops.end(),
                     [](const auto& hop) { return !hop->stages.empty(); });
}

}  // namespace

Lane::Lane(Direction direction, Hops& hops, Overflow overflow, bool fan_out)
    : direction_(direction), hops_(hops), overflow_(overflow), fan_out_(fan_out) {}

// Inline: every message passes them, and they would else be five calls for it.
inline SideLedger& Lane::input_book() noexcept {
  return direction_ == Direction::forward ? hops_.front()->frontend : hops_.back()->backend;
}

inline SideLedger& Lane::output_book() noexcept {
  return direction_ == Direction::forward ? hops_.back()->backend : hops_.front()->frontend;
}

/// What no device carries is refused by the first one.
inline bool Lane::admit() {
  const bool forward = direction_ == Direction::forward;
  weight_ = forward ? hops_.front()->weigh(message_) : Weight{message_.bytes()};
  // A ROUTER takes the first frame for the address, and drops a message that is nothing else.
  const bool no_envelope = !forward && message_.size() < 2;
  const bool too_large = weight_.bytes > limits::message_bytes + limits::header_bytes;
  if (!no_envelope && !too_large) [[likely]]
    return true;
  SideLedger& book = input_book();
  weight_.received_by(book);
  book[no_envelope ? Cause::malformed : Cause::too_large] += weight_.messages;
  return false;
}

/// Through the hops from `first` on; replies go through all of them.
inline bool Lane::pass(std::size_t first) {
  if (direction_ == Direction::forward) {
    for (std::size_t i = first; i < hops_.size(); ++i) {
      if (i > 0) weight_.sent_by(hops_[i - 1]->backend);
      if (!hops_[i]->forward(message_, weight_)) return false;
    }
    return true;
  }
  for (std::size_t i = hops_.size(); i-- > 0;) {
    hops_[i]->backward(message_, weight_);
    if (i > 0) weight_.sent_by(hops_[i]->frontend);
  }
  return true;
}

inline bool Lane::deliver(void* output) {
  if (const int error = send_frames(output, message_, ZMQ_DONTWAIT)) [[unlikely]]
    return deliver_late(output, error);
  weight_.sent_by(output_book());
  return true;
}

std::size_t Lane::burst(void* input, void* output, std::size_t most) {
  if (held_) {
    held_ = false;
    output_book().held = 0;
    if (!deliver(output)) return 0;
  }
  const bool may_be_slow = direction_ == Direction::forward && has_stages(hops_);
  const TimePoint end = std::chrono::steady_clock::now() + longest_burst;
  std::size_t read = 0;
  while (read < most) {
    if (may_be_slow && read > 0 && std::chrono::steady_clock::now() > end) break;
    const Received received = receive_frames(input, message_, ZMQ_DONTWAIT);
    if (received == Received::none || received == Received::closed) break;
    ++read;
    if (received == Received::too_many_frames) {
      ++input_book().received;
      ++input_book()[Cause::too_many_frames];
    } else if (admit() && pass(0) && !deliver(output)) {
      break;
    }
  }
  return read;
}

void Lane::send_answers(void* output, TimePoint now) {
  has_answers_ = false;
  if (answer_) {
    weight_ = answer_->weight;
    message_ = std::move(answer_->frames);
    const TimePoint until = answer_->until;
    answer_.reset();
    output_book().held = 0;
    deliver_answer(output, until);
  }
  std::size_t sent = 0;
  for (std::size_t i = 0; i < hops_.size(); ++i) {
    Cache* const cache = hops_[i]->cache.get();
    if (cache == nullptr) continue;
    cache->tick(now);
    while (!held_ && !answer_ && !has_answers_ && cache->next_answer(message_)) {
      weight_ = hops_[i]->weigh(message_);
      weight_.received_by(hops_[i]->frontend);
      if (pass(i + 1)) deliver_answer(output, now + answer_wait);
      has_answers_ = ++sent == answer_burst;
    }
  }
}

/// An answer is for one who asked, perhaps the last of thousands that its queue cannot hold: it is
/// dropped only where room does not come.
void Lane::deliver_answer(void* output, TimePoint until) {
  int error = send_frames(output, message_, ZMQ_DONTWAIT);
  if (error == EAGAIN && overflow_ == Overflow::drop) {
    hear_of_room(output);
    error = send_frames(output, message_, ZMQ_DONTWAIT);
    if (error == EAGAIN && std::chrono::steady_clock::now() < until) {
      output_book().held = weight_.messages;
      answer_.emplace(Answer{std::move(message_), weight_, until});
      return;
    }
  }
  if (error == 0) {
    weight_.sent_by(output_book());
  } else {
    deliver_late(output, error);
  }
}

bool Lane::deliver_late(void* output, int error) {
  SideLedger& book = output_book();
  if (error == EAGAIN) {
    hear_of_room(output);
    error = send_frames(output, message_, ZMQ_DONTWAIT);
  }
  if (error == 0) {
    weight_.sent_by(book);
    return true;
  }
  if (error == EAGAIN && overflow_ == Overflow::block) {
    held_ = true;
    book.held = weight_.messages;
    return false;
  }
  // It counts nobody whom it leaves out, so the refusal is what we count.
  if (error == EAGAIN && fan_out_) {
    hops_.back()->note_overflow(message_, weight_);
    send_to_those_with_room(output, message_);
  }
  book[error == EHOSTUNREACH || error == EPIPE ? Cause::no_peer : Cause::overflow] +=
      weight_.messages;
  message_.clear();
  return true;
}

std::uint64_t Lane::abandon(void* input) {
  std::uint64_t abandoned = 0;
  if (answer_) weight_ = answer_->weight;
  if (held_ || answer_) {
    held_ = false;
    answer_.reset();
    output_book().held = 0;
    // The devices before the last one have booked it as sent on.
    Hop& last = direction_ == Direction::forward ? *hops_.back() : *hops_.front();
    SideLedger& book = direction_ == Direction::forward ? last.frontend : last.backend;
    book[Cause::abandoned] += weight_.messages;
    abandoned += weight_.messages;
  }
  SideLedger& book = input_book();
  const TimePoint end = std::chrono::steady_clock::now() + longest_abandon;
  while (std::chrono::steady_clock::now() < end) {
    const Received received = receive_frames(input, message_, ZMQ_DONTWAIT);
    if (received == Received::none || received == Received::closed) break;
    const bool forward = direction_ == Direction::forward;
    const Weight left = forward ? hops_.front()->weigh(message_) : Weight{message_.bytes()};
    left.received_by(book);
    book[Cause::abandoned] += left.messages;
    abandoned += left.messages;
  }
  return abandoned;
}

std::size_t SubscriptionLane::burst(void* backend, void* frontend, std::size_t most) {
  std::size_t read = 0;
  for (; read < most; ++read) {
    const Received received = receive_frames(backend, message_, ZMQ_DONTWAIT);
    if (received == Received::none || received == Received::closed) break;
    SubscriptionLedger& book = hops_.back()->subscriptions;
    ++book.received;
    const bool one_frame = received == Received::message && message_.size() == 1;
    const std::string_view bytes = one_frame ? message_.text(0) : std::string_view{};
    if (bytes.empty() || bytes[0] > 1 || bytes[0] < 0 || bytes.size() - 1 > limits::topic_bytes) {
      ++book.refused;
      continue;
    }
    pass_on(frontend, bytes, hops_.size());
  }
  return read;
}

void SubscriptionLane::take_all_for_caches(void* frontend) {
  for (std::size_t i = 0; i < hops_.size(); ++i) {
    if (hops_[i]->cache) pass_on(frontend, "\1", i + 1);
  }
}

void SubscriptionLane::pass_on(void* frontend, std::string_view subscription, std::size_t hops) {
  const char verb = subscription[0];
  const TimePoint now = std::chrono::steady_clock::now();
  std::vector<std::string> prefixes{std::string(subscription.substr(1))};
  for (std::size_t i = hops; i-- > 0;) {
    std::vector<std::string> upstream;
    for (const std::string& prefix : prefixes) {
      Cache* const cache = hops_[i]->cache.get();
      if (cache != nullptr) cache->hear(std::string(1, verb).append(prefix), now);
      for (std::string& wanted : hops_[i]->stages.upstream(prefix)) {
        upstream.push_back(std::move(wanted));
      }
    }
    prefixes = std::move(upstream);
    ++hops_[i]->subscriptions.forwarded;
    if (i > 0) ++hops_[i - 1]->subscriptions.received;
  }
  for (const std::string& prefix : prefixes) {
    Multipart asked{std::string(1, verb).append(prefix)};
    // XSUB has no bound on what it sends, so this cannot be full.
    send_frames(frontend, asked, ZMQ_DONTWAIT);
  }
}

}  // namespace busbar::detail

#include "busbar/protocol/intake.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace busbar::protocol {

namespace {
constexpr int silent_beats = 3;
constexpr std::size_t finished_max = 4096;

}  // namespace

Intake::Intake(IntakeOptions options) : options_(std::move(options)) {
  credit_ever_ = options_.credit;
  options_.name.resize(std::min(options_.name.size(), work_text_bytes));
}

/// What `take` gives of it next, but for the ticket.
Intake::Item Intake::next_of(Bundle& bundle) {
  Item item{.frames = bundle.frames,
            .payload = bundle.frames->text(2),
            .header = {.publisher = bundle.origin.id,
                       .sequence = bundle.origin.number,
                       .time = bundle.time},
            .attempt = bundle.attempt};
  if (bundle.records) {
    item.payload = bundle.records->next(item.header.headers).value_or("");
  } else {
    item.header.headers = std::move(bundle.headers);
  }
  return item;
}

std::optional<Intake::Item> Intake::take() {
  if (waiting_.empty()) return std::nullopt;
  Bundle& bundle = waiting_.front();
  std::optional<Item> item = next_of(bundle);
  Origin origin = bundle.origin;
  if (--bundle.left == 0) {
    waiting_.pop_front();
  } else {
    ++bundle.origin.delivery;
    ++bundle.origin.number;
  }
  --counts_.waiting;
  ++counts_.taken;
  if (item->attempt == 0) {
    ++counts_.done;
    answer(origin, Verdict::done);
    return item;
  }
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(held_.size()));
    held_.emplace_back();
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  held_[slot].origin = std::move(origin);
  held_[slot].taken = true;
  item->ticket = (std::uint64_t{++held_[slot].use} << 32) | slot;
  return item;
}

void Intake::settle(std::uint64_t ticket, Verdict verdict, std::string_view reason) {
  const std::uint64_t slot = ticket & UINT32_MAX;
  if (slot >= held_.size() || !held_[slot].taken || held_[slot].use != ticket >> 32) return;
  const Origin origin = std::move(held_[slot].origin);
  held_[slot].taken = false;
  free_.push_back(static_cast<std::uint32_t>(slot));
  if (verdict == Verdict::done) remember(origin);
  if (origin.registration != origin.pusher->registration || origin.id != origin.pusher->id) {
    ++counts_.late;
    return;
  }
  ++(verdict == Verdict::done ? counts_.done : counts_.failed);
  answer(origin, verdict, reason);
}

void Intake::remember(const Origin& origin) {
  if (finished_.size() < finished_max) finished_.emplace_back();
  finished_[next_finished_] = {origin.id, origin.number};
  next_finished_ = (next_finished_ + 1) % finished_max;
}

void Intake::answer(const Origin& origin, Verdict verdict, std::string_view reason,
                    std::uint32_t messages) {
  Pusher& pusher = *origin.pusher;
  if (origin.registration != pusher.registration || origin.id != pusher.id) return;
  pusher.out -= messages;
  switch (verdict) {
    case Verdict::done:
      append(pusher.done, origin.delivery, messages);
      break;
    case Verdict::returned:
      append(pusher.returned, origin.delivery, messages);
      break;
    case Verdict::failed:
    case Verdict::died:
      pusher.failed.push_back(
          {origin.delivery, verdict, std::string(reason.substr(0, work_text_bytes))});
      break;
  }
  if (!std::exchange(pusher.answering, true)) answering_.push_back(origin.pusher);
}

void Intake::set_credit(std::uint32_t credit) {
  if (options_.credit == credit) return;
  options_.credit = credit;
  credit_ever_ = std::max(credit_ever_, credit);
  greet_all();
}

void Intake::close() {
  closed_ = true;
  greet_all();
  for (const Bundle& bundle : std::exchange(waiting_, {})) {
    counts_.dropped += bundle.left;
    answer(bundle.origin, Verdict::returned, {}, bundle.left);
  }
  counts_.waiting = 0;
}

void Intake::leave() {
  close();
  leaving_ = true;
  greetings_.clear();
  for (const auto& [address, pusher] : pushers_) {
    if (pusher->reachable) greetings_.push_back(pusher);
  }
}

void Intake::on_time(TimePoint now) {
  // Where we were not run for long, what the pushers said meanwhile is still to be read.
  if (looked_ != TimePoint::min() && now - looked_ > 2 * options_.heartbeat) {
    const Duration missed = now - looked_ - options_.heartbeat;
    for (auto& [address, pusher] : pushers_) pusher->heard += missed;
  }
  looked_ = now;
  if (now >= beat_) {
    beat_ = after(now, options_.heartbeat);
    greet_all();
  }
  deadline_ = beat_;
  std::vector<Address> dead;
  for (const auto& [address, pusher] : pushers_) {
    if (pusher->id == 0) continue;
    const TimePoint end = after(pusher->heard, pusher->expiry);
    if (end <= now) {
      dead.push_back(address);
    } else {
      deadline_ = std::min(deadline_, end);
    }
  }
  for (const Address& address : dead) forget(address);
}

bool Intake::next(Outgoing& out) {
  out.frames.clear();
  // Credit that was taken back is told before what is returned; a goodbye comes last.
  if (!leaving_ && next_greeting(out)) return true;
  while (!answering_.empty()) {
    const Link pusher = answering_.front();
    if (next_answer(*pusher, out)) return true;
    pusher->answering = false;
    answering_.pop_front();
  }
  return next_greeting(out);
}

bool Intake::next_greeting(Outgoing& out) {
  if (greetings_.empty()) return false;
  const Link pusher = std::move(greetings_.front());
  greetings_.pop_front();
  pusher->greeting = false;
  out.to = pusher->address;
  out.frames.push_back(leaving_ ? encode(Goodbye{pusher->worker}) : encode(ready(*pusher)));
  return true;
}

bool Intake::next_answer(Pusher& pusher, Outgoing& out) {
  Answer message{.pusher = pusher.id, .registration = pusher.registration};
  if (!pusher.done.empty()) {
    message.runs.swap(pusher.done);
  } else if (!pusher.failed.empty()) {
    message.verdict = pusher.failed.front().verdict;
    message.runs = {{pusher.failed.front().delivery, 1}};
    message.reason = std::move(pusher.failed.front().reason);
    pusher.failed.pop_front();
  } else if (!pusher.returned.empty()) {
    message.verdict = Verdict::returned;
    message.runs.swap(pusher.returned);
  } else {
    return false;
  }
  message.number = ++pusher.answers;
  out.to = pusher.address;
  out.frames.push_back(encode(message));
  return true;
}

void Intake::greet(const Link& pusher) {
  if (leaving_ || !pusher->reachable || std::exchange(pusher->greeting, true)) return;
  greetings_.push_back(pusher);
}

void Intake::greet_all() {
  for (const auto& [address, pusher] : pushers_) greet(pusher);
}

Ready Intake::ready(const Pusher& pusher) const {
  const auto pushers = static_cast<std::uint32_t>(std::max<std::size_t>(registered_, 1));
  return {.worker = pusher.worker,
          .session = pusher.session,
          .credit = closed_ || options_.credit == 0 ? 0 : std::max(options_.credit / pushers, 1u),
          .expiry = silent_beats * options_.heartbeat,
          .registration = pusher.registration,
          .answers = pusher.answers,
          .name = options_.name};
}

IntakeCounts Intake::counts() const noexcept {
  IntakeCounts counts = counts_;
  counts.held = held_.size() - free_.size();
  counts.pushers = registered_;
  return counts;
}

}  // namespace busbar::protocol

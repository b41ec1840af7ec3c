#include "busbar/protocol/intake.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace busbar::protocol {

namespace {
constexpr int silent_beats = 3;
constexpr std::size_t finished_max = 4096;

/// Whether a batch has the records that its header announces.
bool is_whole(const Header& header, std::string_view batch) {
  BatchReader reader{batch};
  Headers headers;
  for (std::uint32_t i = 0; i < header.batch; ++i) {
    if (!reader.next(headers)) return false;
  }
  return true;
}

}  // namespace

Intake::Intake(IntakeOptions options) : options_(std::move(options)) {
  credit_ever_ = options_.credit;
  options_.name.resize(std::min(options_.name.size(), work_text_bytes));
}

void Intake::connected(const Address& address) {
  const Link pusher = link(address, looked_);
  pusher->endpoint = pusher->reachable = true;
  // What the last connection carried may be lost.
  if (pusher->registration != 0) begin_anew(pusher);
  greet(pusher);
}

void Intake::disconnected(const Address& address) {
  const auto found = pushers_.find(address);
  if (found == pushers_.end()) return;
  found->second->reachable = false;
  forget(address);
}

/// Drops what it gave us and was not taken, as it gives that to others.
void Intake::forget(const Address& address) {
  const auto found = pushers_.find(address);
  if (found == pushers_.end()) return;
  const Link pusher = found->second;
  forget_registration(pusher);
  pusher->session = options_.draw();
  pusher->id = 0;
  if (!pusher->endpoint) pushers_.erase(found);
}

/// It gives to nobody any more: what it gave us is done without an answer.
void Intake::on_goodbye(const Address& from) {
  const auto found = pushers_.find(from);
  if (found == pushers_.end()) return;
  std::deque<Bundle> kept;
  kept.swap(waiting_);
  forget(from);
  kept.swap(waiting_);
}

Intake::Link Intake::link(const Address& address, TimePoint now) {
  Link& pusher = pushers_[address];
  if (!pusher) {
    pusher = std::make_shared<Pusher>();
    pusher->address = address;
    pusher->worker = options_.draw();
    pusher->session = options_.draw();
    pusher->heard = now;
  }
  return pusher;
}

void Intake::on_message(const Address& from, Multipart& frames, TimePoint now) {
  const auto message = frames.empty() ? std::nullopt : decode_work(frames.text(0));
  if (message) {
    if (const auto* hand = std::get_if<Hand>(&*message)) return on(from, *hand, frames, now);
    if (const auto* alive = std::get_if<Alive>(&*message)) return on(from, *alive, now);
    if (std::holds_alternative<Goodbye>(*message)) return on_goodbye(from);
  }
  ++counts_.refused;
}

void Intake::on(const Address& from, const Alive& alive, TimePoint now) {
  const Link pusher = link(from, now);
  pusher->heard = now;
  pusher->expiry = alive.expiry;
  deadline_ = std::min(deadline_, after(now, alive.expiry));
  if (pusher->id != alive.pusher) {
    if (pusher->registration != 0) begin_anew(pusher);
    pusher->id = alive.pusher;
  }
  if (alive.session != pusher->session) return greet(pusher);
  if (alive.registration > pusher->registration) {
    forget_registration(pusher);
    pusher->registration = alive.registration;
    ++registered_;
    greet_all();  // The credit is divided anew, and this one learns that we know.
  }
  if (alive.registration == pusher->registration && alive.handed != pusher->handed) {
    begin_anew(pusher);  // Work was lost on its way.
  }
}

void Intake::on(const Address& from, const Hand& hand, Multipart& frames, TimePoint now) {
  auto header = frames.size() == 3 ? decode_header(frames.text(1)) : std::nullopt;
  if (!header) {
    ++counts_.refused;
    return;
  }
  const Link pusher = link(from, now);
  pusher->heard = now;
  const bool current = pusher->registration != 0 && hand.registration == pusher->registration &&
                       header->publisher == pusher->id;
  // Of an earlier registration, or doubled on its way.
  if (!current || hand.number <= pusher->handed) return;
  if (hand.number > pusher->handed + 1) return begin_anew(pusher);
  ++pusher->handed;
  accept(pusher, hand, std::move(*header), frames);
}

void Intake::accept(const Link& pusher, const Hand& hand, Header header, Multipart& frames) {
  const std::uint32_t messages = header.messages();
  if (messages > credit_ever_ - std::min<std::uint64_t>(pusher->out, credit_ever_) ||
      !is_whole(header, frames.text(2))) {
    ++counts_.refused;
    return begin_anew(pusher);
  }
  counts_.received += messages;
  pusher->out += messages;
  Bundle bundle{.frames = std::make_shared<const Multipart>(std::move(frames)),
                .origin = {pusher, pusher->id, hand.registration, hand.delivery, header.sequence},
                .time = header.time,
                .attempt = hand.attempt,
                .left = messages,
                .headers = std::move(header.headers)};
  if (header.batch > 0) bundle.records.emplace(bundle.frames->text(2));
  if (closed_) {
    counts_.dropped += messages;
    return answer(bundle.origin, Verdict::returned, {}, messages);
  }
  if (hand.attempt <= 1) return add(std::move(bundle));
  for (std::uint32_t i = 0; i < messages; ++i) {
    Bundle one = split(bundle, 1);
    known(one.origin) ? void(++counts_.doubled) : add(std::move(one));
  }
}

void Intake::add(Bundle bundle) {
  counts_.waiting += bundle.left;
  waiting_.push_back(std::move(bundle));
}

/// Takes the first messages off.
Intake::Bundle Intake::split(Bundle& bundle, std::uint32_t count) {
  Bundle head = bundle;
  head.left = count;
  Headers passed_over;
  for (std::uint32_t i = 0; bundle.records && i < count; ++i) {
    [[maybe_unused]] const auto record = bundle.records->next(passed_over);
  }
  bundle.left -= count;
  bundle.origin.delivery += count;
  bundle.origin.number += count;
  return head;
}

/// Whether it was done here, is held or waits; then it is answered under its new delivery.
bool Intake::known(const Origin& origin) {
  for (Held& held : held_) {
    if (!held.taken || held.origin.id != origin.id || held.origin.number != origin.number) continue;
    held.origin = origin;
    return true;
  }
  if (known_waiting(origin)) return true;
  const bool done = std::any_of(finished_.begin(), finished_.end(), [&](const Finished& one) {
    return one.pusher == origin.id && one.number == origin.number;
  });
  if (done) answer(origin, Verdict::done);
  return done;
}

bool Intake::known_waiting(const Origin& origin) {
  const auto has_it = [&](const Bundle& bundle) {
    const Origin& first = bundle.origin;
    return first.id == origin.id && origin.number >= first.number &&
           origin.number - first.number < bundle.left;
  };
  auto at = std::find_if(waiting_.begin(), waiting_.end(), has_it);
  if (at == waiting_.end()) return false;
  // It becomes a bundle of its own.
  const auto before = static_cast<std::uint32_t>(origin.number - at->origin.number);
  if (before > 0) at = std::next(waiting_.insert(at, split(*at, before)));
  if (at->left > 1) at = waiting_.insert(at, split(*at, 1));
  at->origin = origin;
  return true;
}

/// Asks for a new registration: the pusher then gives what is out to others, or to us again.
void Intake::begin_anew(const Link& pusher) {
  forget_registration(pusher);
  pusher->session = options_.draw();
  greet(pusher);
}

void Intake::forget_registration(const Link& pusher) {
  if (pusher->registration != 0) --registered_;
  std::erase_if(waiting_, [&](const Bundle& bundle) {
    if (bundle.origin.pusher != pusher || bundle.attempt == 0) return false;
    counts_.waiting -= bundle.left;
    counts_.dropped += bundle.left;
    return true;
  });
  pusher->registration = pusher->handed = pusher->answers = pusher->out = 0;
  pusher->done.clear();
  pusher->returned.clear();
  pusher->failed.clear();
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

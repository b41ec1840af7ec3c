#include "busbar/protocol/intake.hpp"

#include <algorithm>
#include <utility>

namespace busbar::protocol {

namespace {

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
  ++pusher->session;
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
  ++counts_.malformed;
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
    ++counts_.malformed;
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
    ++counts_.malformed;
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
    known(one.origin) ? void(++counts_.duplicates) : add(std::move(one));
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
  ++pusher->session;
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

}  // namespace busbar::protocol

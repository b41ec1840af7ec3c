#include "busbar/protocol/replier_protocol.hpp"

#include <algorithm>

#include <busbar/core/limits.hpp>
#include <busbar/protocol/msgpack_reader.hpp>

namespace busbar::protocol {

namespace {

constexpr std::size_t spares_max = 256;
constexpr int forget_looks = 8;  // for one that may be forgotten, whoever comes

/// Leaves of its frames what leads back, a stock requester's empty frame included.
void cut_to_envelope(ReplierProtocol::Job& job) {
  const std::size_t keep = job.stock() ? job.body : job.body - 2;
  while (job.frames.size() > keep) job.frames.pop_back();
}

}  // namespace

Frame ReplierProtocol::Job::reply(std::string_view bytes) const {
  return stock() ? Frame{bytes.data(), bytes.size()} : encode(ReplyHead{key}, bytes);
}

Frame ReplierProtocol::Job::failure(FailureStatus status, std::uint8_t kind,
                                    std::string_view reason) const {
  return stock() ? Frame{reason.data(), reason.size()}
                 : encode(FailureHead{key, status, kind}, reason);
}

void ReplierProtocol::on_message(Multipart& message, TimePoint now) {
  ++counts_.received;
  std::swap(arriving_.frames, message);
  message.clear();
  const Multipart& frames = arriving_.frames;
  std::size_t empty = 1;
  while (empty < frames.size() && frames[empty].size() > 0) ++empty;
  if (empty >= frames.size()) {  // no body
    if (!on_batch(now)) ++counts_.malformed;
    return;
  }
  const std::string_view last = empty > 1 ? frames.text(empty - 1) : std::string_view{};
  const bool ours = !last.empty() && last.front() == request_signature;
  begin_arriving(empty + 1);
  const bool has_body = arriving_.body < frames.size();
  if (!ours && has_body) {
    if (arriving_.body + 1 < frames.size()) arriving_.method = frames.text(arriving_.payload++);
    return hold(arriving_, now);
  }
  const auto head = ours ? decode_correlation(last) : std::nullopt;
  const auto* request = head ? std::get_if<RequestHead>(&*head) : nullptr;
  const auto* cancel = head ? std::get_if<CancelHead>(&*head) : nullptr;
  if (request != nullptr && has_body) return on_request(arriving_, *request, now);
  if (cancel != nullptr) {
    --counts_.received;  // no request
    return on_cancel(cancel->key);
  }
  ++counts_.malformed;
}

void ReplierProtocol::begin_arriving(std::size_t body) {
  arriving_.body = arriving_.payload = body;
  arriving_.key = {};
  arriving_.deadline = TimePoint::max();
  arriving_.direct = body == 3;
  arriving_.place = BatchPlace::none;
  arriving_.method = {};
}

/// Each as if it had come by itself. What is broken is one message that is malformed.
bool ReplierProtocol::on_batch(TimePoint now) {
  if (arriving_.frames.size() < 2) return false;
  const Multipart frames = std::exchange(arriving_.frames, {});
  const std::size_t hops = frames.size() - 1;
  std::string_view records;
  const auto head = decode_correlation(frames.text(hops), records);
  const auto* batch = head ? std::get_if<BatchHead>(&*head) : nullptr;
  if (batch == nullptr) return false;
  --counts_.received;  // but what is in it
  MsgpackReader in{records};
  for (std::uint32_t left = batch->count; left > 0; --left) {
    std::string_view correlation;
    std::string_view payload;
    ++counts_.received;
    if (!in.bytes(correlation) || !in.bytes(payload)) return false;
    Multipart& single = arriving_.frames;
    single.clear();
    for (std::size_t i = 0; i < hops; ++i) single.push_back(frames.text(i));
    for (const std::string_view frame : {correlation, std::string_view{}, payload})
      single.push_back(frame);
    const auto one = decode_correlation(single.text(hops));
    const auto* request = one ? std::get_if<RequestHead>(&*one) : nullptr;
    if (request == nullptr) return false;
    begin_arriving(hops + 2);
    arriving_.place = left > 1 ? BatchPlace::within : BatchPlace::last;
    on_request(arriving_, *request, now);
  }
  return true;
}

void ReplierProtocol::on_request(Job& job, const RequestHead& head, TimePoint now) {
  Requester& from = requester(head.key.requester, now);
  job.key = head.key;
  if (head.wanted) from.gauge.set(head.sent, now);
  const std::chrono::milliseconds delay = from.gauge.delay(head.sent, now);
  job.deadline = now + (head.left - delay);
  const bool was_seen = !head.idempotent && from.seen.contains(head.key.number);
  if (was_seen && from.seen.was_refused(head.key.number)) return give_back(job);
  Held* held = from.held.find(head.key.number);
  if (held != nullptr || was_seen) return on_duplicate(job, head, from.seen, held);
  if (head.tell_me) {
    Multipart taken;
    for (std::size_t i = 0; i + 2 < job.body; ++i) taken.grow().copy(job.frames[i]);
    taken.push_back(encode(TakenHead{head.key, job.direct}));
    to_send_.push_back(std::move(taken));
  }
  job.method = head.method;
  hold(job, now);
}

void ReplierProtocol::on_duplicate(Job& job, const RequestHead& head, const SeenNumbers& seen,
                                   Held* held) {
  ++counts_.duplicates;
  if (held != nullptr && head.idempotent) {
    held->envelope = std::make_unique<Multipart>(std::move(job.frames));
    while (held->envelope->size() >= job.body) held->envelope->pop_back();
  } else if (held == nullptr && seen.is_behind(head.key.number)) {
    refuse(job, FailureStatus::forgotten);  // whoever asks must not wait in vain
  }
}

void ReplierProtocol::hold(Job& job, TimePoint now) {
  if (leaving_ || waiting_.size() >= options_.waiting_max) return give_back(job);
  if (job.deadline <= now) {  // not held, so it may come again, however many come in between
    ++counts_.expired;
    return refuse(job, FailureStatus::expired);
  }
  if (!job.stock()) {
    Requester& from = *known(job.key.requester);
    from.seen.insert(job.key.number);
    from.held.insert(job.key.number, {});
  }
  ++counts_.waiting;
  waiting_.emplace_back();
  std::swap(waiting_.back(), job);
  if (spares_.empty()) return;
  job.frames = std::move(spares_.back());
  spares_.pop_back();
}

/// It is not begun, and never will be: another server may do it by now.
void ReplierProtocol::give_back(Job& job) {
  ++counts_.unavailable;
  if (!job.stock()) known(job.key.requester)->seen.refuse(job.key.number);
  refuse(job, FailureStatus::unavailable);
}

void ReplierProtocol::on_cancel(const RequestKey& key) {
  if (Held* held = find(key)) held->cancelled = true;
}

bool ReplierProtocol::take(Job& job, TimePoint now) {
  if (gathers()) {
    if (gathered_since_ == TimePoint::max()) gathered_since_ = now;
    if (waiting_.empty() || now >= gathered_since_ + gather_max) flush();
  }
  while (!waiting_.empty()) {
    recycle(job);
    job = std::move(waiting_.front());
    waiting_.pop_front();
    --counts_.waiting;
    const bool due = job.deadline <= now;
    Held* held = find(job.key);
    if (due || (held != nullptr && held->cancelled)) {
      if (let_go(job)) {
        ++counts_.expired;
        if (!job.stock()) known(job.key.requester)->seen.erase(job.key.number);
        refuse(job, FailureStatus::expired);
      } else {
        ++counts_.cancelled;
      }
      continue;
    }
    if (held != nullptr) held->running = true;
    ++counts_.running;
    job.ticket = ++begun_;
    return true;
  }
  return false;
}

void ReplierProtocol::recycle(Job& job) {
  if (job.frames.has_slots() && spares_.size() < spares_max)
    spares_.push_back(std::move(job.frames));
}

bool ReplierProtocol::reply(Job& job, Frame reply) {
  if (reply.size() > limits::message_bytes)
    return fail(job, FailureStatus::failed, 0, "the reply is larger than 64 MiB");
  --counts_.running;
  if (!let_go(job)) {
    ++counts_.cancelled;
    return false;
  }
  ++counts_.replied;
  cut_to_envelope(job);
  job.frames.push_back(std::move(reply));
  return send_or_gather(job);
}

/// A requester that sends batches takes them, too.
bool ReplierProtocol::send_or_gather(Job& job) {
  const bool small = job.frames[job.frames.size() - 1].size() <= batch_bytes;
  if (job.place == BatchPlace::none || !small) return true;
  if (!gathered_.takes(job.frames)) flush();
  gathered_.add(job.key, job.frames);
  if (job.place == BatchPlace::last || leaving_) flush();
  return false;
}

void ReplierProtocol::flush() {
  gathered_since_ = TimePoint::max();
  if (gathered_.empty()) return;
  ++flushes_;
  to_send_.push_back(gathered_.take());
}

bool ReplierProtocol::fail(Job& job, FailureStatus status, std::uint8_t kind,
                           std::string_view reason) {
  // Made first: the reason may be a part of the request, whose frames `let_go` may exchange.
  Frame last = job.failure(status, kind, reason);
  --counts_.running;
  if (!let_go(job)) {
    ++counts_.cancelled;
    return false;
  }
  ++(status == FailureStatus::refused ? counts_.refused : counts_.failed);
  put_failure(job, std::move(last));
  return send_or_gather(job);
}

bool ReplierProtocol::cancelled(const RequestKey& key) {
  const Held* held = find(key);
  return held != nullptr && held->cancelled;
}

void ReplierProtocol::leave() {
  leaving_ = true;
  for (Job& job : waiting_) {
    --counts_.waiting;
    if (let_go(job)) {
      give_back(job);
    } else {
      ++counts_.cancelled;
    }
  }
  waiting_.clear();
}

bool ReplierProtocol::next(Multipart& message) {
  if (sent_ == to_send_.size()) {
    to_send_.clear();
    sent_ = 0;
    return false;
  }
  message = std::move(to_send_[sent_++]);
  return true;
}

ReplierProtocol::Requester* ReplierProtocol::known(std::uint64_t id) {
  if (latest_ != nullptr && latest_id_ == id) return latest_;
  const auto found = requesters_.find(id);
  if (found == requesters_.end()) return nullptr;
  latest_id_ = id;
  return latest_ = &found->second;
}

ReplierProtocol::Requester& ReplierProtocol::requester(std::uint64_t id, TimePoint now) {
  if (Requester* const found = known(id)) {
    by_age_.splice(by_age_.end(), by_age_, found->place);
    return *found;
  }
  if (requesters_.size() >= options_.requesters_max) forget_one();
  Requester& made = requesters_[id];
  made.gauge = DelayGauge{options_.utc, now};
  made.place = by_age_.insert(by_age_.end(), id);
  return made;
}

/// One for which nothing is held; so there may be more of them than requesters_max for a while, by
/// as many as wait or run.
void ReplierProtocol::forget_one() {
  for (int look = 0; look < forget_looks && requesters_.size() >= options_.requesters_max; ++look) {
    const auto oldest = requesters_.find(by_age_.front());
    if (oldest->second.held.size() > 0) {  // it waits for us, whatever it says
      by_age_.splice(by_age_.end(), by_age_, by_age_.begin());
      continue;
    }
    by_age_.pop_front();
    requesters_.erase(oldest);
    latest_ = nullptr;
  }
}

ReplierProtocol::Held* ReplierProtocol::find(const RequestKey& key) {
  if (key.requester == 0) return nullptr;
  Requester* const from = known(key.requester);
  return from == nullptr ? nullptr : from->held.find(key.number);
}

bool ReplierProtocol::let_go(Job& job) {
  Held* held = find(job.key);
  if (held == nullptr) return true;
  if (const std::unique_ptr<Multipart> envelope = std::move(held->envelope)) {
    envelope->push_back(std::string_view{});
    const std::size_t body = envelope->size();
    for (std::size_t i = job.body; i < job.frames.size(); ++i)
      envelope->push_back(std::move(job.frames[i]));
    job.frames = std::move(*envelope);
    job.body = body;
  }
  const bool wanted = !held->cancelled;
  known(job.key.requester)->held.erase(job.key.number);
  return wanted;
}

void ReplierProtocol::refuse(Job& job, FailureStatus status) {
  put_failure(job, job.failure(status, 0, {}));
  to_send_.push_back(std::move(job.frames));
  job.frames = {};
}

/// A stock requester gets an empty frame and the reason behind it: there is no place in its
/// envelope to tell a failure.
void ReplierProtocol::put_failure(Job& job, Frame last) {
  cut_to_envelope(job);
  if (job.stock()) job.frames.push_back(std::string_view{});
  job.frames.push_back(std::move(last));
}

}  // namespace busbar::protocol

#include "busbar/patterns/internal/push_loop.hpp"

#include <algorithm>

#include <busbar/core/error.hpp>

namespace busbar::detail {

using protocol::Job;
using std::chrono::milliseconds;

namespace {

/// A message as the user pushed it, for the user.
Message message_of(Job job) {
  auto frames = std::make_shared<Multipart>();
  frames->push_back(std::move(job.payload));
  const std::string_view payload = frames->text(0);
  Message message{std::move(frames), "", payload};
  if (!job.failure.empty()) job.headers.emplace_back("busbar-failure", std::move(job.failure));
  message.set_origin({.time = job.time}, job.number);
  message.set_headers(std::move(job.headers));
  return message;
}

}  // namespace

PushLoop::PushLoop(Context& context, PusherOptions options)
    : context_(context),
      options_(std::move(options)),
      engine_(PushEngine::create(context, options_)),
      bound_(engine_->bound()) {}

SendResult PushLoop::push(Job job, milliseconds timeout) {
  if (job.payload.size() > limits::message_bytes || !protocol::fits(job.headers)) {
    return SendResult::too_large;
  }
  std::unique_lock lock(mutex_);
  if (!ended_ && !leave_at_ && !has_room(job)) {
    ++waiters_;
    changed_.wait_for(lock, timeout, [&] { return ended_ || leave_at_ || has_room(job); });
    --waiters_;
  }
  if (ended_ || leave_at_) {
    throw Error(ErrorKind::usage, "push on '" + options_.name + "'", "it was stopped");
  }
  if (!has_room(job)) {
    ++ledger_.full;
    return ledger_.workers == 0 && options_.wire != Wire::plain ? SendResult::no_peer
                                                                : SendResult::full;
  }
  inbox_bytes_ += job.bytes();
  inbox_.push_back(std::move(job));
  if (std::exchange(asleep_, false)) wake_.signal();
  return SendResult::sent;
}

std::uint64_t PushLoop::held() const noexcept {
  return inbox_.size() + ledger_.waiting + ledger_.out;
}

bool PushLoop::has_room(const Job& job) const noexcept {
  const std::uint64_t messages = held();
  return messages == 0 || (messages < options_.queue_messages &&
                           ledger_.bytes + inbox_bytes_ + job.bytes() <= options_.queue_bytes);
}

bool PushLoop::step(milliseconds wait) {
  try {
    if (turn(wait)) return true;
  } catch (const Error& error) {
    finish();
    if (error.kind() == ErrorKind::refused) return false;  // the context was stopped
    throw;
  }
  finish();
  return false;
}

bool PushLoop::turn(milliseconds wait) {
  bool busy = take_inbox();
  const TimePoint now = context_.clock().now();
  busy |= engine_->turn(now);
  give_up(engine_->take_given_up());
  show_counts();
  poll_.start();
  TimePoint until = engine_->add_to(poll_);
  poll_.add(wake_.descriptor());
  {
    const std::scoped_lock lock(mutex_);
    if (leave_at_ && (held() == 0 || now >= *leave_at_)) return false;
    if (busy || !inbox_.empty()) return true;
    if (leave_at_) until = std::min(until, *leave_at_);
    asleep_ = true;
  }
  const bool open = poll_.wait(std::min(wait, left_until(until, now)));
  wake_.clear();
  const std::scoped_lock lock(mutex_);
  asleep_ = false;
  return open;
}

/// False: nothing was there.
bool PushLoop::take_inbox() {
  taken_.clear();
  {
    const std::scoped_lock lock(mutex_);
    taken_.swap(inbox_);
    ledger_.pushed += taken_.size();
    ledger_.waiting += taken_.size();
    ledger_.bytes += std::exchange(inbox_bytes_, 0);
  }
  for (Job& job : taken_) engine_->push(std::move(job));
  return !taken_.empty();
}

void PushLoop::show_counts() {
  const protocol::DispatcherCounts counts = engine_->counts();
  Links::Trouble trouble = engine_->trouble();
  const std::scoped_lock lock(mutex_);
  ledger_ = {.pushed = counts.pushed,
             .done = counts.done,
             .given_up = counts.given_up,
             .lost = counts.lost,
             .waiting = counts.waiting,
             .out = counts.out,
             .redelivered = counts.redelivered,
             .stale = counts.stale,
             .refused = counts.refused,
             .full = ledger_.full,
             .bytes = engine_->bytes(),
             .workers = counts.workers,
             .handshake_failure = std::move(trouble.handshake),
             .unresolved = std::move(trouble.unresolved)};
  if (waiters_ > 0) changed_.notify_all();
}

void PushLoop::give_up(std::vector<Job> jobs) {
  if (jobs.empty()) return;
  std::function<void(Message &&)> handler;
  {
    const std::scoped_lock lock(mutex_);
    handler = handler_;
  }
  for (Job& job : jobs) {
    if (!handler) {
      context_.log(LogLevel::warning, "'" + options_.name + "' gave message " +
                                          std::to_string(job.number) + " up after " +
                                          std::to_string(job.attempts) +
                                          " attempts: " + printable(job.failure));
      continue;
    }
    try {
      handler(message_of(std::move(job)));
    } catch (const std::exception& error) {
      context_.log(LogLevel::error, "'" + options_.name + "': on_give_up threw: " + error.what());
    }
  }
}

void PushLoop::finish() {
  try {
    engine_->leave();
  } catch (const Error&) {
    // The context was stopped: nobody can be told.
  }
  {
    // Before the socket closes: whoever waits for that must find us ended.
    const std::scoped_lock lock(mutex_);
    ended_ = true;
  }
  engine_.reset();
  const std::scoped_lock lock(mutex_);
  changed_.notify_all();
}

void PushLoop::request_stop(milliseconds deadline) noexcept {
  const std::scoped_lock lock(mutex_);
  const TimePoint at = after(context_.clock().now(), deadline);
  leave_at_ = leave_at_ ? std::min(*leave_at_, at) : at;
  wake_.signal();
  changed_.notify_all();
}

StopReport PushLoop::report() const {
  const std::scoped_lock lock(mutex_);
  const std::uint64_t left = held();
  return {.clean = left == 0, .abandoned = left};
}

void PushLoop::flush(milliseconds timeout) {
  std::unique_lock lock(mutex_);
  ++waiters_;
  const bool all = changed_.wait_for(lock, timeout, [&] { return ended_ || held() == 0; });
  --waiters_;
  if (all && held() == 0) return;
  throw Error(ended_ ? ErrorKind::refused : ErrorKind::timeout, "flush '" + options_.name + "'",
              std::to_string(held()) + " of " + std::to_string(ledger_.pushed + inbox_.size()) +
                  " messages are not done, " + std::to_string(ledger_.workers) +
                  " workers are there",
              ended_ ? "the pusher was stopped" : "allow more time, or start workers");
}

bool PushLoop::wait_for_workers(std::size_t n, milliseconds timeout) {
  std::unique_lock lock(mutex_);
  ++waiters_;
  changed_.wait_for(lock, timeout, [&] { return ended_ || ledger_.workers >= n; });
  --waiters_;
  return ledger_.workers >= n;
}

void PushLoop::on_give_up(std::function<void(Message&&)> handler) {
  const std::scoped_lock lock(mutex_);
  handler_ = std::move(handler);
}

PusherLedger PushLoop::ledger() const {
  const std::scoped_lock lock(mutex_);
  PusherLedger ledger = ledger_;
  ledger.pushed += inbox_.size();
  ledger.waiting += inbox_.size();
  ledger.bytes += inbox_bytes_;
  return ledger;
}

}  // namespace busbar::detail

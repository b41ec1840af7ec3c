#include "busbar/patterns/internal/pull_loop.hpp"

#include <algorithm>

#include <busbar/core/error.hpp>

namespace busbar::detail {

using protocol::Intake;
using protocol::Verdict;
using std::chrono::milliseconds;

PullLoop::PullLoop(Context& context, PullerOptions options)
    : context_(context),
      name_(options.name),
      engine_(PullEngine::create(context, options, mutex_)),
      bound_(engine_->bound()) {}

bool PullLoop::step(milliseconds wait) {
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

bool PullLoop::turn(milliseconds wait) {
  const TimePoint now = context_.clock().now();
  const bool busy = engine_->turn(now);
  poll_.start();
  const TimePoint until = engine_->add_to(poll_);
  poll_.add(wake_.descriptor());
  {
    const std::scoped_lock lock(mutex_);
    if (waiters_ > 0 && engine_->anything_to_take()) arrived_.notify_all();
    if (leaving_) return false;
    if (busy || engine_->needs_turn()) return true;
    asleep_ = true;
  }
  const bool open = poll_.wait(std::min(wait, left_until(until, now)));
  wake_.clear();
  const std::scoped_lock lock(mutex_);
  asleep_ = false;
  return open;
}

void PullLoop::finish() {
  try {
    engine_->leave();
  } catch (const Error&) {
    // The context was stopped: nobody can be told.
  }
  std::unique_ptr<PullEngine> ended;
  const std::scoped_lock lock(mutex_);
  last_ = engine_->counts();
  ended = std::move(engine_);
  closed_ = true;
  arrived_.notify_all();
}

/// With the mutex held.
void PullLoop::wake_up() {
  if (engine_ && engine_->needs_turn() && std::exchange(asleep_, false)) wake_.signal();
}

std::optional<Intake::Item> PullLoop::take(milliseconds timeout) {
  std::unique_lock lock(mutex_);
  const auto there = [this] { return closed_ || engine_->anything_to_take(); };
  if (!there()) {
    ++waiters_;
    arrived_.wait_for(lock, timeout, there);
    --waiters_;
  }
  if (closed_) return std::nullopt;
  auto item = engine_->take();
  wake_up();
  return item;
}

void PullLoop::settle(std::uint64_t ticket, bool done, std::string_view reason) noexcept {
  const std::scoped_lock lock(mutex_);
  if (!engine_) return;
  engine_->settle(ticket, done ? Verdict::done : Verdict::failed, reason);
  wake_up();
}

void PullLoop::close() {
  const std::scoped_lock lock(mutex_);
  if (std::exchange(closed_, true)) return;
  engine_->close();
  wake_up();
  arrived_.notify_all();
}

bool PullLoop::closed() const {
  const std::scoped_lock lock(mutex_);
  return closed_;
}

void PullLoop::request_stop(milliseconds) noexcept {
  const std::scoped_lock lock(mutex_);
  leaving_ = true;
  wake_.signal();
}

StopReport PullLoop::report() const {
  const std::scoped_lock lock(mutex_);
  return {.clean = last_.held == 0};
}

PullerLedger PullLoop::ledger() const {
  const std::scoped_lock lock(mutex_);
  const protocol::IntakeCounts counts = engine_ ? engine_->counts() : last_;
  Links::Trouble trouble = engine_ ? engine_->trouble() : Links::Trouble{};
  return {.received = counts.received,
          .taken = counts.taken,
          .done = counts.done,
          .failed = counts.failed,
          .late = counts.late,
          .dropped = counts.dropped,
          .doubled = counts.doubled,
          .waiting = counts.waiting,
          .held = counts.held,
          .refused = counts.refused,
          .pushers = counts.pushers,
          .handshake_failure = std::move(trouble.handshake),
          .unresolved = std::move(trouble.unresolved)};
}

}  // namespace busbar::detail

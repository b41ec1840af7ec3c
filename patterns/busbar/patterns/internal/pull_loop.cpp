#include "busbar/patterns/internal/pull_loop.hpp"

#include <utility>

namespace busbar::detail {

using protocol::Intake;
using protocol::Verdict;
using std::chrono::milliseconds;

PullLoop::PullLoop(Context& context, PullerOptions options)
    : EngineLoop(context, options.name), credit_(options.credit) {
  start(PullEngine::create(context, options, mutex_));
}

bool PullLoop::turn(TimePoint now) {
  const bool busy = engine_->turn(now);
  const std::scoped_lock lock(mutex_);
  answered_ = 0;
  moved_ |= busy;
  show_readable();
  if (waiters_ > 0 && engine_->anything_to_take()) changed_.notify_all();
  return busy;
}

void PullLoop::ended() {
  last_ = engine_->counts();
  closed_ = true;
  show_readable();
}

std::optional<Intake::Item> PullLoop::take(milliseconds timeout) {
  std::unique_lock lock(mutex_);
  wait_for(lock, timeout, [this] { return closed_ || engine_->anything_to_take(); });
  if (closed_) return std::nullopt;
  auto item = engine_->take();
  show_readable();
  moved_ = true;
  if (item && item->ticket == 0) ++answered_;
  if (engine_->needs_turn()) wake_up(presses());
  return item;
}

void PullLoop::settle(std::uint64_t ticket, bool done, std::string_view reason) noexcept {
  const std::scoped_lock lock(mutex_);
  if (!engine_) return;
  engine_->settle(ticket, done ? Verdict::done : Verdict::failed, reason);
  moved_ = true;
  ++answered_;
  if (engine_->needs_turn()) wake_up(!done || presses());
}

/// Whoever works has nothing else to do, or the pusher may soon have no credit left.
bool PullLoop::presses() const { return !engine_->anything_to_take() || 2 * answered_ >= credit_; }

void PullLoop::close() {
  const std::scoped_lock lock(mutex_);
  if (std::exchange(closed_, true)) return;
  engine_->close();
  show_readable();
  wake_up();
  changed_.notify_all();
}

bool PullLoop::closed() const {
  const std::scoped_lock lock(mutex_);
  return closed_;
}

int PullLoop::fd() {
  const std::scoped_lock lock(mutex_);
  const int descriptor = readable_.open();
  show_readable();
  return descriptor;
}

void PullLoop::show_readable() { readable_.show(closed_ || engine_->anything_to_take()); }

StopReport PullLoop::report() const {
  const std::scoped_lock lock(mutex_);
  return {.clean = last_.held == 0};
}

PullerLedger PullLoop::ledger() const {
  const std::scoped_lock lock(mutex_);
  const protocol::IntakeCounts counts = engine_ ? engine_->counts() : last_;
  Trouble trouble = engine_ ? engine_->trouble() : Trouble{};
  return {.received = counts.received,
          .taken = counts.taken,
          .done = counts.done,
          .failed = counts.failed,
          .late = counts.late,
          .dropped = counts.dropped,
          .duplicates = counts.duplicates,
          .waiting = counts.waiting,
          .held = counts.held,
          .malformed = counts.malformed,
          .pushers = counts.pushers,
          .handshake_failure = std::move(trouble.handshake_failure),
          .unresolved = std::move(trouble.unresolved)};
}

}  // namespace busbar::detail

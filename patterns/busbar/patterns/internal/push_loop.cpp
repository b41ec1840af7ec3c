#include "busbar/patterns/internal/push_loop.hpp"

#include <utility>

#include <busbar/patterns/internal/check_enough.hpp>
#include <busbar/patterns/internal/thrown_by.hpp>

namespace busbar::detail {

using protocol::Job;
using protocol::Lot;
using std::chrono::milliseconds;

namespace {

constexpr std::uint64_t flood = 16;  // messages in a turn
constexpr std::size_t full_batch = 64u << 10;

std::uint64_t microseconds_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

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
    : EngineLoop(context, options.name),
      options_(std::move(options)),
      packed_below_(start(PushEngine::create(context, options_)).packed_below()) {}

SendResult PushLoop::push(std::string_view payload, const PushOptions& options) {
  if (options_.wire == Wire::plain && !options.headers.empty()) {
    throw Error(ErrorKind::usage, "push on '" + name_ + "'", "wire = plain has no headers",
                "leave them out, or wire = plain");
  }
  if (payload.size() > limits::message_bytes || !protocol::fits(options.headers)) {
    const std::scoped_lock lock(mutex_);
    ++ledger_.refused;
    return SendResult::too_large;
  }
  const std::size_t bytes = protocol::bytes_of(payload, options.headers);
  std::unique_ptr<Job> alone;  // made before the lock, as it copies a large payload
  if (bytes >= packed_below_) {
    alone = std::make_unique<Job>();
    alone->time = microseconds_now();
    alone->payload = Frame{payload.data(), payload.size()};
    alone->headers = options.headers;
  }
  std::unique_lock lock(mutex_);
  if (!has_room(bytes)) wake_up();
  wait_for(lock, options.timeout, [&] { return ended_ || leave_at_ || has_room(bytes); });
  if (ended_ || leave_at_) {
    throw Error(ErrorKind::usage, "push on '" + name_ + "'", "it was stopped");
  }
  if (!has_room(bytes)) {
    ++ledger_.refused;
    return ledger_.workers == 0 && options_.wire != Wire::plain ? SendResult::no_peer
                                                                : SendResult::full;
  }
  if (alone) {
    inbox_.push_back(Lot{.job = std::move(alone)});
  } else {
    if (inbox_.empty() || !inbox_.back().takes_more()) {
      inbox_.push_back(Lot::open(microseconds_now()));
    }
    inbox_.back().add(payload, options.headers);
  }
  inbox_bytes_ += bytes;
  ++inbox_messages_;
  wake_up(inbox_presses());
  return SendResult::sent;
}

/// Nothing more is to be expected, a batch is full, or somebody waits.
bool PushLoop::inbox_presses() const noexcept {
  if (inbox_.empty()) return false;
  return !flooded_ || waiters_ > 0 || inbox_bytes_ >= full_batch;
}

std::uint64_t PushLoop::held() const noexcept {
  return inbox_messages_ + ledger_.waiting + ledger_.out;
}

bool PushLoop::has_room(std::size_t bytes) const noexcept {
  const std::uint64_t messages = held();
  return messages == 0 || (messages < options_.queue_messages &&
                           ledger_.bytes + inbox_bytes_ + bytes <= options_.queue_bytes);
}

bool PushLoop::turn(TimePoint now) {
  take_inbox(now);
  const bool busy = engine_->turn(now);
  give_up(engine_->take_given_up());
  show_counts();
  return busy;
}

void PushLoop::take_inbox(TimePoint now) {
  taken_.clear();
  {
    const std::scoped_lock lock(mutex_);
    taken_.swap(inbox_);
    const std::uint64_t messages = std::exchange(inbox_messages_, 0);
    if (messages >= flood) flood_ends_ = now + 2 * pace;
    flooded_ = now < flood_ends_;
    ledger_.pushed += messages;
    ledger_.waiting += messages;
    ledger_.bytes += std::exchange(inbox_bytes_, 0);
  }
  for (Lot& lot : taken_) engine_->push(std::move(lot));
}

void PushLoop::show_counts() {
  const protocol::DispatcherCounts counts = engine_->counts();
  Trouble trouble = engine_->trouble();
  const std::scoped_lock lock(mutex_);
  ledger_ = {.pushed = counts.pushed,
             .done = counts.done,
             .given_up = counts.given_up,
             .lost = counts.lost,
             .waiting = counts.waiting,
             .out = counts.out,
             .redelivered = counts.redelivered,
             .stale = counts.stale,
             .refused = ledger_.refused,
             .malformed = counts.malformed,
             .bytes = engine_->bytes(),
             .workers = counts.workers,
             .handshake_failure = std::move(trouble.handshake_failure),
             .unresolved = std::move(trouble.unresolved)};
  if (waiters_ > 0) changed_.notify_all();
}

void PushLoop::give_up(std::vector<Job> jobs) {
  if (jobs.empty()) return;
  std::function<void(Message &&)> handler;
  {
    const std::scoped_lock lock(mutex_);
    handler = handler_;
    if (!handler) untaken_ += jobs.size();
  }
  for (Job& job : jobs) {
    if (!handler) {
      context_.log(LogLevel::warning, "'" + name_ + "' gave message " + std::to_string(job.number) +
                                          " up after " + std::to_string(job.attempts) +
                                          " attempts: " + printable(job.failure));
      continue;
    }
    if (const auto threw = thrown_by([&] { handler(message_of(std::move(job))); }))
      context_.log(LogLevel::error, "'" + name_ + "': on_give_up threw: " + *threw);
  }
}

StopReport PushLoop::report() const {
  const std::scoped_lock lock(mutex_);
  const std::uint64_t left = held();
  return {.clean = left == 0, .abandoned = left};
}

void PushLoop::flush(milliseconds timeout) {
  std::unique_lock lock(mutex_);
  wait_for(lock, timeout, [&] { return ended_ || held() == 0; });
  if (held() == 0) {
    const std::uint64_t untaken = std::exchange(untaken_, 0);
    if (untaken == 0) return;
    throw Error(ErrorKind::refused, "flush '" + name_ + "'",
                std::to_string(untaken) + " of " + std::to_string(ledger_.pushed) +
                    " messages were given up after " + std::to_string(options_.attempts_max) +
                    " attempts",
                "take them with on_give_up; the log has their failures");
  }
  throw Error(ended_ ? ErrorKind::usage : ErrorKind::timeout, "flush '" + name_ + "'",
              std::to_string(held()) + " of " + std::to_string(ledger_.pushed + inbox_messages_) +
                  " messages are not done, " + std::to_string(ledger_.workers) +
                  " workers are there",
              ended_ ? "the pusher was stopped" : "allow more time, or start workers");
}

void PushLoop::wait_for_workers(std::size_t count, milliseconds timeout) {
  std::unique_lock lock(mutex_);
  wait_for(lock, timeout, [&] { return ended_ || ledger_.workers >= count; });
  check_enough("wait for workers of '" + name_ + "'", ledger_.workers, count, timeout, ended_,
               "start them", ended_ ? "" : engine_->trouble().text());
}

void PushLoop::on_give_up(std::function<void(Message&&)> handler) {
  const std::scoped_lock lock(mutex_);
  handler_ = std::move(handler);
}

PusherLedger PushLoop::ledger() const {
  const std::scoped_lock lock(mutex_);
  PusherLedger ledger = ledger_;
  ledger.pushed += inbox_messages_;
  ledger.waiting += inbox_messages_;
  ledger.bytes += inbox_bytes_;
  return ledger;
}

}  // namespace busbar::detail

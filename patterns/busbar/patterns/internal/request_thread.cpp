// The background thread of a requester: what it does between two waits, callbacks, and the end.
#include <algorithm>

#include <busbar/core/error.hpp>
#include <busbar/patterns/internal/request_loop.hpp>
#include <busbar/patterns/internal/thrown_by.hpp>

namespace busbar::detail {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds patience{5};  // for someone to wait for what he asked
constexpr milliseconds longest_rest{1000};

}  // namespace

bool RequestLoop::step(milliseconds wait) {
  Lock lock{mutex_};
  run_callbacks(lock);
  if (!links_ || (leave_at_ && leave(lock))) return false;
  if (leading_) {
    work_.wait_for(lock, patience);
    return true;
  }
  if (callbacks_ > 0) {
    serving_ = true;
    lead(lock, std::min(after(now(), wait), leave_at_.value_or(TimePoint::max())));
    serving_ = false;
    return true;
  }
  if (protocol_.counts().in_flight > 0) {
    const std::uint64_t before = turns_;
    work_.wait_for(lock, patience);
    const bool looked = turns_ != before && gathered_ == 0;
    if (looked || leading_ || !links_) return true;
    serving_ = true;
    lead(lock, after(now(), patience));
    serving_ = false;
    return true;
  }
  rest(lock, wait);
  return true;
}

/// Nothing is under way: connections are looked after, and that is all.
void RequestLoop::rest(Lock& lock, milliseconds wait) {
  turn(now());
  after_call();
  if (protocol_.counts().in_flight > 0 || !links_) return;
  resting_ = true;
  const milliseconds due = left_until(maintain_at_, now());
  work_.wait_for(lock, std::max(std::min({wait, due, longest_rest}), milliseconds{1}));
  resting_ = false;
}

/// Those that are due now: what they ask for may be due at once as well.
void RequestLoop::run_callbacks(Lock& lock) {
  const auto before = std::exchange(calling_, std::this_thread::get_id());
  for (std::size_t due = calls_.size(); due > 0 && calls_due(); --due) call_first(lock);
  calling_ = before;
}

void RequestLoop::call_first(Lock& lock) {
  std::optional<Call> call = std::move(calls_.front());
  calls_.pop_front();
  lock.unlock();
  const auto threw = thrown_by([&] { call->callback(std::move(call->reply)); });
  if (threw) context_.log(LogLevel::error, "'" + options_.name + "': a callback threw: " + *threw);
  call.reset();  // what it holds may be a request of ours
  lock.lock();
}

int RequestLoop::fd() {
  const Lock lock{mutex_};
  const int descriptor = readable_.open();
  readable_.show(!calls_.empty());
  return descriptor;
}

void RequestLoop::let_go() noexcept {
  std::deque<Call> calls;  // which may hold requests of ours
  const Lock lock{mutex_};
  if (readable_.is_open()) calls.swap(calls_);
}

std::size_t RequestLoop::drain(std::size_t most) {
  Lock lock{mutex_};
  const std::size_t due = std::min(most, calls_.size());
  std::size_t called = 0;
  for (; called < due && !calls_.empty(); ++called) call_first(lock);
  readable_.show(!calls_.empty());
  return called;
}

bool RequestLoop::is_calling() const {
  const Lock lock{mutex_};
  return calling_ == std::this_thread::get_id();
}

/// What is under way is carried on with here.
StopReport RequestLoop::stop_within(milliseconds deadline) {
  const TimePoint start = now();
  request_stop(deadline);
  while (step(longest_rest)) {
  }
  StopReport made = report();
  made.took = std::chrono::duration_cast<milliseconds>(now() - start);
  return made;
}

/// True: all is over. With what is cancelled by that there are callbacks to be called once more.
bool RequestLoop::leave(Lock& lock) {
  const std::uint64_t under_way = protocol_.counts().in_flight;
  if (under_way > 0 && now() < *leave_at_) return false;
  if (leading_) {  // who wakes up finds us ended
    if (std::exchange(sleeping_, false)) wake_.signal();
    changed_.wait_for(lock, patience);
    return false;
  }
  abandoned_ = under_way;
  protocol_.cancel_all();
  carry(now());
  end();
  run_callbacks(lock);
  return true;
}

/// The sockets are closed, and everything is finished.
void RequestLoop::end() {
  protocol_.cancel_all();
  while (protocol_.take(finished_)) settle(std::move(finished_));
  links_.reset();
  changed_.notify_all();
}

void RequestLoop::request_stop(milliseconds deadline) noexcept {
  const Lock lock{mutex_};
  const TimePoint at = after(now(), deadline);
  leave_at_ = leave_at_ ? std::min(*leave_at_, at) : at;
  if (std::exchange(sleeping_, false)) wake_.signal();
  work_.notify_all();
}

StopReport RequestLoop::report() const {
  const Lock lock{mutex_};
  return {.clean = abandoned_ == 0, .abandoned = abandoned_};
}

}  // namespace busbar::detail

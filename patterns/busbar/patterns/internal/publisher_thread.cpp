// The background thread of a publisher: what it does between two waits.
#include <algorithm>

#include <busbar/core/internal/frames.hpp>
#include <busbar/patterns/internal/publisher_loop.hpp>

namespace busbar::detail {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds one{1};
constexpr milliseconds retry{10};         // where a full subscriber cannot be polled
constexpr milliseconds longest{250};      // should all news have been lost to a sender
constexpr milliseconds answer_wait{500};  // for room, before an answer goes without those full
constexpr std::size_t most_waiting_answers = 1u << 20;
constexpr int answer_burst = 1000;  // before callers have their turn

}  // namespace

void PublisherLoop::run() {
  while (true) {
    milliseconds wait{0};
    TimePoint batch_due{};
    bool soon = false;
    {
      callers_stand_back_ = 1;
      const Lock lock{mutex_};
      callers_stand_back_ = 0;
      if (stopping_) break;
      const TimePoint now = std::chrono::steady_clock::now();
      serve(now);
      changed_.notify_all();
      if (!open_.empty() && waiting_.empty()) batch_due = batch_due_;
      wait = heard_subscription_ || has_answers_ ? milliseconds{0} : longest_wait(now);
      // poll(2) counts in milliseconds.
      soon = wait > milliseconds{0} && batch_due > TimePoint{} && batch_due < now + one;
      wakes_at_ = soon ? batch_due : TimePoint::max();
      poll_.start();
      poll_.add(wake_.descriptor());
      poll_.add(socket_.monitor().handle(), ZMQ_POLLIN);
      if (waiting_.empty() && !answer_) {
        poll_.add(handle_, ZMQ_POLLIN);
      } else {  // asking would take the news of room that came since the last attempt
        poll_.add_unasked(handle_);
      }
    }
    if (soon) {
      std::this_thread::sleep_until(batch_due);
    } else if (!poll_.wait(wait)) {
      break;
    }
    wake_.clear();
  }
  end();
}

void PublisherLoop::end() {
  std::optional<Socket> gone;
  {
    const Lock lock{mutex_};
    stopping_ = true;
    handle_ = nullptr;
    gone = std::move(socket_);
    changed_.notify_all();
  }
  gone->see_off(options_.linger);  // without the mutex, when all can see that it has ended
  const Lock lock{mutex_};
  ended_ = true;
  changed_.notify_all();
}

void PublisherLoop::serve(TimePoint now) {
  calendar_.set(now);
  read_subscriptions(now);
  protocol_.tick(now);
  send_waiting();
  if (waiting_.empty() && now >= batch_due_) {
    batch_due_ = TimePoint::max();
    close_batches(now);
  }
  int answers = 0;
  while (answers < answer_burst && send_answer(now)) ++answers;
  has_answers_ = answers == answer_burst;
  // First the news: what libzmq has closed may be another descriptor of the process by now.
  maintain_at_ = socket_.maintain();
  cut_slow_subscribers(now);
}

void PublisherLoop::read_subscriptions(TimePoint now) {
  heard_subscription_ = false;
  Multipart message;
  while (receive_frames(handle_, message, ZMQ_DONTWAIT) != Received::none) {
    if (message.empty()) break;  // the context was stopped, or there were too many frames
    if (message.size() == 1) protocol_.on_subscription(message.text(0), now);
  }
}

/// False: there is none, or no room for it.
bool PublisherLoop::send_answer(TimePoint now) {
  if (options_.slow != SlowSubscriber::drop) return queue_answer();
  if (!answer_) {
    answer_.emplace();
    if (!protocol_.next_answer(*answer_)) {
      answer_.reset();
      return false;
    }
    answer_until_ = now + answer_wait;
  }
  if (try_to_send(*answer_) == EAGAIN) {
    if (now < answer_until_) return false;
    send_to_those_with_room(handle_, *answer_);
    counts_.slow_peers = slow_peers_.full();
  }
  answer_.reset();
  return true;
}

/// It waits for room as messages do, behind those that wait: what is told of them must not come
/// before them. But it takes no room from them.
bool PublisherLoop::queue_answer() {
  if (waiting_answer_bytes_ >= most_waiting_answers || !protocol_.next_answer(next_.frames)) {
    return false;
  }
  send_next(0);
  return true;
}

void PublisherLoop::cut_slow_subscribers(TimePoint now) {
  if (options_.slow != SlowSubscriber::disconnect || full_since_ == TimePoint::max()) return;
  if (now < after(full_since_, options_.block_for)) return;
  // Empty: whoever was cut before is not back yet, and is still the last.
  if (auto full = slow_peers_.full(); !full.empty()) counts_.slow_peers = std::move(full);
  counts_.disconnected += slow_peers_.cut();
  full_since_ = now;
}

milliseconds PublisherLoop::longest_wait(TimePoint now) const {
  TimePoint due = std::min({protocol_.next_deadline(), maintain_at_, now + longest});
  if (!waiting_.empty() || answer_) due = std::min(due, now + retry);
  if (!open_.empty()) due = std::min(due, batch_due_);
  return left_until(due, now);
}

}  // namespace busbar::detail

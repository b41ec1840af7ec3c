#include "busbar/patterns/internal/reply_loop.hpp"

#include <algorithm>
#include <thread>

#include <busbar/core/error.hpp>
#include <busbar/core/internal/frames.hpp>
#include <busbar/core/internal/start_thread.hpp>
#include <busbar/protocol/freelance.hpp>

namespace busbar::detail {

using std::chrono::milliseconds;

namespace {

constexpr int burst = 32;
/// Each look at the monitor is a system call. Its descriptor stays readable until it is read.
constexpr milliseconds monitor_pace{1};
constexpr milliseconds farewell{100};  // for the last answers, and for the threads to see the end

ReplierOptions checked(ReplierOptions options) {
  const std::string who = "replier '" + options.name + "'";
  if (options.threads == 0)
    throw Error(ErrorKind::usage, who, "it has no thread", "give 1 or more threads");
  if (options.bind.empty() && options.connect.empty())
    throw Error(ErrorKind::usage, who, "it has no endpoint", "give one to bind or to connect to");
  if (options.waiting_max == 0)
    throw Error(ErrorKind::usage, who, "it may hold no request", "give waiting_max 1 or more");
  const bool one = options.bind.size() == 1 && !options.bind[0].is_wildcard();
  if (options.wire == RequestWire::freelance && !one) {
    throw Error(ErrorKind::usage, who, "in the Freelance protocol its endpoint is its identity",
                "bind one endpoint, with host and port");
  }
  return options;
}

}  // namespace

thread_local ReplyLoop::Here ReplyLoop::here;

ReplyLoop::ReplyLoop(Context& context, ReplierOptions options)
    : context_(context),
      options_(checked(std::move(options))),
      protocol_({.waiting_max = options_.waiting_max}) {
  socket_.emplace(context, SocketType::router,
                  SocketOptions{.name = options_.name,
                                .bind = options_.bind,
                                .connect = options_.connect,
                                .security = options_.security,
                                .send_queue = 100'000,
                                .routing_id = freelance() ? options_.bind[0].str() : ""});
  bound_ = socket_->bound();
  socket_->on_event([this](const SocketEvent& event) { trouble_.hear(event); });
  socket_->release();
}

ReplyLoop::~ReplyLoop() {
  {
    const Lock lock{mutex_};
    stopped_ = true;
  }
  flush_due_.notify_one();
  if (flusher_.joinable()) flusher_.join();
}

/// With the mutex held.
void ReplyLoop::check_not_serving(const char* operation, const char* remedy) const {
  if (serving_ == 0) return;
  throw Error(ErrorKind::usage, operation + (" '" + options_.name) + "'", "it is served already",
              remedy);
}

void ReplyLoop::set_handler(std::string method, Handler handler) {
  const Lock lock{mutex_};
  check_not_serving("set a handler of", "set it before `serve`");
  handlers_[std::move(method)] = std::move(handler);
}

void ReplyLoop::set_otherwise(Handler handler) {
  const Lock lock{mutex_};
  check_not_serving("set a handler of", "set it before `serve`");
  otherwise_ = std::move(handler);
}

void ReplyLoop::serve() {
  std::vector<std::jthread> others;
  {
    const Lock lock{mutex_};  // for which they wait until all are there
    check_not_serving("serve", "call it once");
    if (stopped_) return;
    for (unsigned i = 1; i < options_.threads; ++i)
      others.push_back(start_thread<std::jthread>(options_.name, [this] { run(); }));
    serving_ = options_.threads;
  }
  run();
}

void ReplyLoop::run() {
  Lock lock{mutex_};
  if (serving_ == 0) return;  // not all of us could be started
  Job job;
  while (!stopped_) {
    if (begin(lock, job)) continue;
    if (!leading_) {
      lead(lock);
    } else {
      ++idle_;
      changed_.wait(lock);
      --idle_;
    }
  }
  end_serving(lock);
}

/// Calls a handler for the next request. False: none is there.
bool ReplyLoop::begin(Lock& lock, Job& job) {
  const bool something = protocol_.take(job, now());
  if (send_rest()) after_call();
  if (!something) return false;
  // Another one leads, or takes the next request and has a third one lead.
  if (idle_ > 0 && !leading_) changed_.notify_one();
  handle(lock, job);
  return true;
}

void ReplyLoop::end_serving(Lock& lock) {
  --serving_;
  if (stopped_ && serving_ == 0 && !leading_) close(lock, close_until_);
  changed_.notify_all();
  ended_.notify_all();
}

int ReplyLoop::fd() {
  const Lock lock{mutex_};
  if (watch_) return watch_->descriptor();
  watch_.emplace();
  if (socket_) {
    watch_->add(socket_->raw().get(zmq::sockopt::fd));
    watch_->add(socket_->monitor().get(zmq::sockopt::fd));
    socket_->release();
  }
  watch_->ring(now(), now());
  return watch_->descriptor();
}

std::size_t ReplyLoop::drain(std::size_t most) {
  Lock lock{mutex_};
  check_not_serving("drain", "call either `serve` or `drain`, in one thread at a time");
  ++serving_;
  std::size_t begun = 0;
  bool idle = false;
  Job job;
  while (begun < most && !idle && !stopped_) {
    if (begin(lock, job)) {
      ++begun;
    } else {
      idle = look() == 0;
    }
  }
  protocol_.flush();
  send_rest();
  if (socket_) socket_->release();
  if (watch_) watch_->ring(idle && !stopped_ ? maintain_at_ : now(), now());
  end_serving(lock);
  return begun;
}

/// Looks after the connections, and receives what is there: how much it was.
int ReplyLoop::look() {
  const TimePoint at = now();
  try {
    if (at >= maintain_at_ || at >= maintained_at_ + monitor_pace) {
      maintain_at_ = socket_->maintain();
      maintained_at_ = at;
      protocol_.set_utc(utc_offset(at));  // which somebody may set
    }
    return receive(at);
  } catch (const Error&) {
    stopped_ = true;  // the context was stopped
    return 0;
  }
}

/// Receives what is there, or waits until something is.
void ReplyLoop::lead(Lock& lock) {
  leading_ = true;
  if (look() == 0 && !stopped_) sleep(lock);
  socket_->release();
  leading_ = false;
  if (stopped_) changed_.notify_all();
}

/// All that is there, before anything is begun: a cancellation may be behind its request.
int ReplyLoop::receive(TimePoint at) {
  int received = 0;
  for (; received < burst && socket_->receive(frames_); ++received) {
    if (freelance()) {
      if (answer_ping(frames_)) continue;
      if (!protocol::freelance::is_busbar(frames_)) protocol::freelance::to_busbar(frames_);
    }
    protocol_.on_message(frames_, at);
  }
  return received;
}

bool ReplyLoop::answer_ping(Multipart& message) {
  if (!protocol::freelance::is_ping(message)) return false;
  protocol::freelance::make_pong(message);
  (void)socket_->send(message);  // who has left needs none
  return true;
}

void ReplyLoop::sleep(Lock& lock) {
  poll_.start();
  // Not asked once more: it had nothing a moment ago, and nobody used it since.
  poll_.add_unasked(socket_->raw().handle());
  poll_.add_unasked(socket_->monitor().handle());
  poll_.add(wake_.descriptor());
  const milliseconds longest = left_until(maintain_at_, now());
  socket_->release();
  sleeping_ = true;
  lock.unlock();
  const bool open = poll_.wait(longest);
  lock.lock();
  if (!std::exchange(sleeping_, false)) wake_.clear();
  if (!open) stopped_ = true;
}

StopReport ReplyLoop::stop(milliseconds deadline) {
  Lock lock{mutex_};
  const TimePoint start = now();
  close_until_ = after(start, deadline);
  protocol_.leave();
  if (socket_) {
    protocol_.flush();
    send_rest();
    after_call();
  }
  const bool inside = here.loop == this;
  for (InHand& one : in_hand_) one.stopping |= inside && one.ticket == here.ticket;
  stopping_ += inside ? 1 : 0;
  ended_.notify_all();
  ended_.wait_for(lock, left_until(close_until_, now()), [this] { return running() == 0; });
  stopped_ = true;
  const std::uint64_t left = running();
  if (std::exchange(sleeping_, false)) wake_.signal();
  if (watch_) watch_->ring(now(), now());
  changed_.notify_all();
  // Those that call handlers find out when these return.
  ended_.wait_for(lock, farewell, [&] { return serving_ <= left + stopping_ && !leading_; });
  if (inside) {
    --stopping_;  // and its thread closes, if it is the last one
  } else if (!leading_) {
    close(lock, close_until_);
  }
  return {.clean = left == 0,
          .took = std::chrono::duration_cast<milliseconds>(now() - start),
          .abandoned = left};
}

/// Waits until the address is free, and the last answers are out: without the mutex, as all others
/// find us closed meanwhile.
void ReplyLoop::close(Lock& lock, TimePoint until) {
  ended_.wait(lock, [this] { return !closing_; });
  if (!socket_) return;
  closing_ = true;
  Socket last = std::move(*socket_);
  socket_.reset();
  lock.unlock();
  last.close(std::max(farewell, left_until(until, now())));
  lock.lock();
  closing_ = false;
  ended_.notify_all();
}

ReplierLedger ReplyLoop::ledger() const {
  const Lock lock{mutex_};
  ReplierLedger ledger;
  static_cast<protocol::ReplierCounts&>(ledger) = protocol_.counts();
  ledger.undeliverable = undeliverable_;
  ledger.connections = trouble_.connections;
  ledger.handshake_failure = trouble_.handshake_failure;
  ledger.unresolved = trouble_.unresolved;
  return ledger;
}

}  // namespace busbar::detail

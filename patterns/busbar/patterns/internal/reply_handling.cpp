// How a replier calls its handlers, and what becomes of their answers.
#include "busbar/patterns/internal/reply_loop.hpp"

#include <algorithm>

#include <busbar/core/error.hpp>
#include <busbar/core/internal/frames.hpp>
#include <busbar/core/internal/start_thread.hpp>
#include <busbar/protocol/freelance.hpp>

namespace busbar::detail {

using protocol::FailureStatus;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds held_longest{4};  // an answer that gathers, by a handler that takes long

}  // namespace

void ReplyLoop::handle(Lock& lock, Job& job) {
  const std::uint64_t ticket = job.ticket;
  in_hand_.push_back({ticket});
  socket_->release();
  lock.unlock();
  const Here before = std::exchange(here, {this, ticket});
  {
    Request request{shared_from_this(), std::move(job)};
    try {
      dispatch(request);
    } catch (const Error& error) {
      request.fail(error.what(), error.kind());
    } catch (const std::exception& error) {
      request.fail(error.what());
    } catch (...) {
      request.fail("the handler threw what is no std::exception");
    }
  }
  here = before;
  lock.lock();
  std::erase_if(in_hand_, [&](const InHand& one) { return one.ticket == ticket; });
}

std::uint64_t ReplyLoop::running() const noexcept {
  const auto own = std::count_if(in_hand_.begin(), in_hand_.end(),
                                 [](const InHand& one) { return one.stopping; });
  return protocol_.counts().running - static_cast<std::uint64_t>(own);
}

void ReplyLoop::dispatch(Request& request) {
  auto handler = handlers_.find(request.method());
  if (handler == handlers_.end() && request.job_.stock()) {
    handler = handlers_.find("");
    if (handler != handlers_.end()) {  // then it named no method: all of its frames are the body
      request.job_.payload = request.job_.body;
      request.job_.method = {};
    }
  }
  if (handler != handlers_.end()) return handler->second(std::move(request));
  if (!otherwise_) return request.refuse("no such method");
  otherwise_(std::move(request));
}

void ReplyLoop::reply(Job& job, std::string_view payload) {
  Frame frame = job.reply(payload);
  const Lock lock{mutex_};
  answered(job, protocol_.reply(job, std::move(frame)));
}

void ReplyLoop::fail(Job& job, FailureStatus status, std::uint8_t kind, std::string_view reason) {
  const Lock lock{mutex_};
  answered(job, protocol_.fail(job, status, kind, reason));
}

void ReplyLoop::answered(Job& job, bool sends) {
  std::erase_if(in_hand_, [&](const InHand& one) { return one.ticket == job.ticket; });
  if (sends) send(job.frames);
  // Only a thread that serves comes back for what gathers.
  if (protocol_.gathers()) {
    if (here.loop == this) {
      watch_gathered();
    } else {
      protocol_.flush();
    }
  }
  send_rest();
  after_call();
  protocol_.recycle(job);
}

/// From now on somebody looks whether a handler keeps answers waiting.
void ReplyLoop::watch_gathered() {
  try {
    if (!flusher_.joinable()) flusher_ = start_thread(options_.name, [this] { flush_late(); });
  } catch (const Error&) {
    return protocol_.flush();  // then none is kept waiting
  }
  if (std::exchange(flusher_rests_, false)) flush_due_.notify_one();
}

/// Wakes up now and then in a flood only: being woken for each batch costs as much as the batch.
void ReplyLoop::flush_late() {
  Lock lock{mutex_};
  while (!stopped_) {
    const std::uint64_t seen = protocol_.flushes();
    flush_due_.wait_for(lock, held_longest / 2);
    if (protocol_.flushes() != seen) continue;
    if (protocol_.gathers() && socket_) {
      protocol_.flush();
      send_rest();
      after_call();
    }
    flusher_rests_ = true;
    flush_due_.wait(lock, [this] { return stopped_ || !flusher_rests_; });
  }
}

bool ReplyLoop::cancelled(const Job& job) {
  const Lock lock{mutex_};
  if (!socket_) return true;
  // Where no other thread leads nobody else would hear of it.
  if (!leading_) {
    look();
    send_rest();  // or what is given back, and its requesters, would wait for the handler's end
  }
  const bool cancelled = protocol_.cancelled(job.key);
  after_call();
  return cancelled;
}

/// To those who have gone nothing can be sent; nor to those who do not read, for ever.
void ReplyLoop::send(Multipart& message) {
  if (freelance()) protocol::freelance::from_busbar(message);
  try {
    if (socket_ && socket_->send(message) == SendResult::sent) return;
  } catch (const Error&) {
    // The context was stopped.
  }
  ++undeliverable_;
  message.clear();
}

/// False: there was nothing.
bool ReplyLoop::send_rest() {
  bool something = false;
  for (; protocol_.next(out_); something = true) send(out_);
  return something;
}

/// At the end of what another thread than the leader did: calls may have swallowed the news that
/// there is something to receive.
void ReplyLoop::after_call() {
  if (running() == 0) ended_.notify_all();
  if (!socket_) return;
  if (sleeping_ && (hear_of_room(socket_->raw().handle()) & ZMQ_POLLIN) != 0) {
    sleeping_ = false;
    wake_.signal();
  }
  // What `cancelled` has received, or what sending has swallowed the news of.
  if (watch_ && serving_ == 0 &&
      (protocol_.counts().waiting > 0 ||
       (hear_of_room(socket_->raw().handle()) & ZMQ_POLLIN) != 0)) {
    watch_->ring(now(), now());
  }
  socket_->release();
}

}  // namespace busbar::detail

#include "busbar/patterns/replier.hpp"

#include <busbar/patterns/internal/reply_loop.hpp>

namespace busbar {

using protocol::FailureStatus;
using std::chrono::milliseconds;

Request& Request::operator=(Request&& other) noexcept {
  if (this == &other) return *this;
  const Request abandoned{std::move(*this)};
  loop_ = std::move(other.loop_);
  job_ = std::move(other.job_);
  return *this;
}

Request::~Request() {
  if (loop_)
    std::exchange(loop_, nullptr)
        ->fail(job_, FailureStatus::abandoned, 0, "let go of without an answer");
}

milliseconds Request::left() const noexcept {
  return loop_ ? left_until(job_.deadline, loop_->now()) : milliseconds{0};
}

bool Request::cancelled() const {
  return !loop_ || left() == milliseconds{0} || loop_->cancelled(job_);
}

void Request::reply(std::string_view payload) {
  if (loop_) std::exchange(loop_, nullptr)->reply(job_, payload);
}

void Request::fail(std::string_view reason, ErrorKind kind) {
  if (!loop_) return;
  std::exchange(loop_, nullptr)
      ->fail(job_, FailureStatus::failed, static_cast<std::uint8_t>(kind), reason);
}

void Request::refuse(std::string_view reason) {
  if (loop_) std::exchange(loop_, nullptr)->fail(job_, FailureStatus::refused, 0, reason);
}

Replier::Replier(Context& context, ReplierOptions options)
    : loop_(std::make_shared<detail::ReplyLoop>(context, std::move(options))) {}

Replier::~Replier() {
  if (loop_) loop_->stop(milliseconds{0});
}

void Replier::set_handler(std::string method, detail::Handler handler) {
  loop_->set_handler(std::move(method), std::move(handler));
}
void Replier::set_otherwise(detail::Handler handler) { loop_->set_otherwise(std::move(handler)); }
void Replier::serve() {
  const auto loop = loop_;  // outlives us where we are destroyed meanwhile
  loop->serve();
}
int Replier::fd() { return loop_->fd(); }
std::size_t Replier::drain(std::size_t most) {
  const auto loop = loop_;  // a handler may end us
  return loop->drain(most);
}
StopReport Replier::stop(milliseconds deadline) { return loop_->stop(deadline); }
ReplierLedger Replier::ledger() const { return loop_->ledger(); }
const std::vector<Endpoint>& Replier::bound() const noexcept { return loop_->bound(); }

}  // namespace busbar

#include "busbar/patterns/puller.hpp"

#include <busbar/patterns/internal/pull_loop.hpp>

namespace busbar {

using std::chrono::milliseconds;

Work::Work(Message message, std::uint32_t attempt, std::uint64_t ticket,
           std::shared_ptr<detail::PullLoop> loop)
    : message_(std::move(message)), attempt_(attempt), ticket_(ticket), loop_(std::move(loop)) {}

Work::Work(Work&& other) noexcept
    : message_(std::move(other.message_)),
      attempt_(other.attempt_),
      ticket_(std::exchange(other.ticket_, 0)),
      loop_(std::move(other.loop_)) {}

Work& Work::operator=(Work&& other) noexcept {
  if (this == &other) return *this;
  settle(false, "not done");
  message_ = std::move(other.message_);
  attempt_ = other.attempt_;
  ticket_ = std::exchange(other.ticket_, 0);
  loop_ = std::move(other.loop_);
  return *this;
}

Work::~Work() { settle(false, "not done"); }

void Work::done() { settle(true, {}); }
void Work::failed(std::string_view reason) { settle(false, reason); }

void Work::settle(bool done, std::string_view reason) noexcept {
  if (ticket_ != 0) loop_->settle(std::exchange(ticket_, 0), done, reason);
}

Puller::Puller(Context& context, PullerOptions options)
    : loop_(std::make_shared<detail::PullLoop>(context, std::move(options))), runner_(loop_) {}
Puller::Puller(Puller&&) noexcept = default;
Puller::~Puller() = default;

std::optional<Work> Puller::receive(milliseconds timeout) {
  auto item = loop_->take(timeout);
  if (!item) return std::nullopt;
  // Without a header it is a stock program's, and begins with its payload.
  std::span<const Frame> further;
  if (item->header.sequence == 0) {
    further = std::span{item->frames->begin(), item->frames->size()}.subspan(1);
  }
  Message message{std::move(item->frames), "", item->payload};
  message.set_further(further);
  message.set_origin(item->header, item->header.sequence);
  if (!item->header.headers.empty()) message.set_headers(std::move(item->header.headers));
  return Work{std::move(message), item->attempt, item->ticket, loop_};
}

Puller::AllWork Puller::work(milliseconds timeout) {
  const AllWork::Next next = [](Puller& puller, milliseconds wait) { return puller.receive(wait); };
  return {*this, next, timeout};
}

int Puller::fd() { return loop_->fd(); }

std::size_t Puller::drain(const std::function<void(Work&)>& handler, std::size_t most) {
  std::size_t count = 0;
  for (; count < most; ++count) {
    auto work = receive();
    if (!work) break;
    handler(*work);
  }
  return count;
}

void Puller::stop() { loop_->close(); }
bool Puller::stopped() const { return loop_->closed(); }
PullerLedger Puller::ledger() const { return loop_->ledger(); }
const std::vector<Endpoint>& Puller::bound() const noexcept { return loop_->bound(); }

}  // namespace busbar

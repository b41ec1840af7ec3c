#include "busbar/patterns/pusher.hpp"

#include <busbar/patterns/internal/push_loop.hpp>

namespace busbar {

using std::chrono::milliseconds;

Pusher::Pusher(Context& context, PusherOptions options)
    : loop_(std::make_shared<detail::PushLoop>(context, std::move(options))), runner_(loop_) {}

SendResult Pusher::push(std::string_view payload, const PushOptions& options) {
  return loop_->push(payload, options);
}

void Pusher::on_give_up(std::function<void(Message&&)> handler) {
  loop_->on_give_up(std::move(handler));
}
void Pusher::flush(milliseconds timeout) { loop_->flush(timeout); }
StopReport Pusher::stop(milliseconds deadline) { return runner_.stop(deadline); }
void Pusher::wait_for_workers(std::size_t count, milliseconds timeout) {
  loop_->wait_for_workers(count, timeout);
}
PusherLedger Pusher::ledger() const { return loop_->ledger(); }
const std::vector<Endpoint>& Pusher::bound() const noexcept { return loop_->bound(); }

}  // namespace busbar

#include "busbar/patterns/peer.hpp"

#include <busbar/patterns/internal/peer_loop.hpp>

namespace busbar {

using std::chrono::milliseconds;

Peer::Peer(Context& context, PeerOptions options)
    : loop_(std::make_shared<detail::PeerLoop>(context, std::move(options), PeerId::random())),
      runner_(loop_) {}
Peer::Peer(Peer&&) noexcept = default;
Peer::~Peer() = default;

const PeerId& Peer::id() const noexcept { return loop_->id(); }
const std::string& Peer::name() const noexcept { return loop_->shown_name(); }
const Endpoint& Peer::endpoint() const noexcept { return loop_->bound().front(); }

void Peer::join(const std::string& group) { loop_->join(group); }
void Peer::leave(const std::string& group) { loop_->leave(group); }
SendResult Peer::whisper(const PeerId& to, std::string_view payload) {
  return loop_->whisper(to, payload);
}
std::size_t Peer::shout(const std::string& group, std::string_view payload) {
  return loop_->shout(group, payload);
}
void Peer::flush(milliseconds timeout) { loop_->flush(timeout); }
void Peer::offer(const std::string& name, const Endpoint& endpoint) {
  loop_->offer(name, endpoint);
}
void Peer::withdraw(const std::string& name) { loop_->withdraw(name); }
std::vector<Endpoint> Peer::find(const std::string& name, milliseconds timeout) {
  return loop_->find(name, timeout);
}

std::optional<PeerEvent> Peer::receive(milliseconds timeout) { return loop_->take(timeout); }

Peer::Events Peer::events(milliseconds timeout) {
  const Events::Next next = [](Peer& peer, milliseconds wait) { return peer.receive(wait); };
  return {*this, next, timeout};
}

int Peer::fd() { return loop_->fd(); }

std::size_t Peer::drain(const std::function<void(PeerEvent&)>& handler, std::size_t most) {
  std::size_t count = 0;
  for (; count < most; ++count) {
    auto event = receive();
    if (!event) break;
    handler(*event);
  }
  return count;
}

std::vector<KnownPeer> Peer::peers() const { return loop_->peers(); }
void Peer::wait_for_peers(std::size_t count, milliseconds timeout) {
  loop_->wait_for_peers(count, timeout);
}
PeerLedger Peer::ledger() const { return loop_->ledger(); }
void Peer::stop() { loop_->close(); }
bool Peer::stopped() const { return loop_->closed(); }

}  // namespace busbar

/// What moves a peer's messages and beacons.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include <busbar/patterns/internal/beacon_socket.hpp>
#include <busbar/patterns/internal/engine.hpp>
#include <busbar/patterns/internal/mailboxes.hpp>
#include <busbar/patterns/internal/peer_protocol.hpp>
#include <busbar/patterns/peer.hpp>

namespace busbar::detail {

class PeerEngine final : public Engine {
 public:
  /// `mutex` guards `protocol`.
  PeerEngine(Context& context, const PeerOptions& options, const PeerId& id, std::mutex& mutex);

  bool turn(TimePoint now) override;
  TimePoint add_to(SocketPoll& poll) override;
  void leave() override;
  const std::vector<Endpoint>& bound() const override { return bound_; }

  // With the mutex held:
  PeerProtocol& protocol() noexcept { return *protocol_; }
  const PeerProtocol& protocol() const noexcept { return *protocol_; }
  PeerLedger ledger() const;
  bool all_sent() const noexcept {
    return protocol_->actions() == 0 && !carrying_out_ && !protocol_->anything_congested() &&
           !protocol_->anything_unproven();
  }
  bool needs_turn() const noexcept { return protocol_->actions() > 0 || (deaf_ && has_room()); }

 private:
  bool has_room() const noexcept { return protocol_->events() < queue_; }
  bool read_inbox(TimePoint now);
  bool read_beacons(TimePoint now);
  void carry_out_all(TimePoint now);
  void carry_out(PeerAction& action, TimePoint now);

  std::mutex& mutex_;
  std::size_t queue_;
  Mailboxes mailboxes_;
  std::vector<Endpoint> bound_;
  std::unique_ptr<BeaconSocket> beacons_;
  std::unique_ptr<PeerProtocol> protocol_;
  bool carrying_out_ = false;  ///< The mutex guards it too.
  std::vector<PeerAction> taken_;
  std::string from_;
  std::string key_;
  Multipart frames_;
  TimePoint now_ = {};
  TimePoint maintain_at_ = TimePoint::min();
  TimePoint beacons_at_ = TimePoint::min();  ///< No beacon is read before.
  TimePoint deadline_ = TimePoint::min();
  std::size_t entered_ = 0;  ///< How many were there when last asked what to wait for.
  bool deaf_ = false;        ///< When last asked what to wait for.
};

}  // namespace busbar::detail

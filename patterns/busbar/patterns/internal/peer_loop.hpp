/// The thread behind a Peer, and what crosses into it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <busbar/patterns/internal/engine_loop.hpp>
#include <busbar/patterns/internal/peer_engine.hpp>
#include <busbar/patterns/internal/readable.hpp>
#include <busbar/patterns/peer.hpp>

namespace busbar::detail {

class PeerLoop final : public EngineLoop<PeerEngine> {
 public:
  PeerLoop(Context& context, PeerOptions options, const PeerId& id);
  PeerLoop(const PeerLoop&) = delete;
  PeerLoop& operator=(const PeerLoop&) = delete;
  ~PeerLoop() override;

  StopReport report() const override { return {}; }
  const PeerId& id() const noexcept { return id_; }
  const std::string& shown_name() const noexcept { return name_; }

  // Any thread; see Peer.
  void join(const std::string& group);
  void leave(const std::string& group);
  SendResult whisper(const PeerId& to, std::string_view payload);
  std::size_t shout(const std::string& group, std::string_view payload);
  void flush(std::chrono::milliseconds timeout);
  void offer(const std::string& name, const Endpoint& endpoint);
  void withdraw(const std::string& name);
  std::vector<Endpoint> find(const std::string& name, std::chrono::milliseconds timeout);
  std::optional<PeerEvent> take(std::chrono::milliseconds timeout);
  int fd();
  std::vector<KnownPeer> peers() const;
  void wait_for_peers(std::size_t count, std::chrono::milliseconds timeout);
  PeerLedger ledger() const;
  void close();
  bool closed() const;

 private:
  bool turn(TimePoint now) override;
  bool needs_turn() const override { return engine_->needs_turn(); }
  bool may_leave() const override { return true; }
  void ended() override;
  /// With the mutex held. Behind our GOODBYE nothing may be said.
  bool may_speak() const noexcept { return engine_ && !leave_at_; }
  void show_readable();
  bool show_offers();
  void wait_for_room(std::unique_lock<std::mutex>& lock);
  template <class Call>
  void tell(Call call);

  const PeerId id_;
  const TimePoint settled_at_;
  std::uint64_t service_ = 0;
  // The mutex guards what follows.
  std::map<std::string, std::vector<Endpoint>> offers_;
  PeerLedger last_;  ///< When it ended.
  Readable readable_;
  bool closed_ = false;
};

}  // namespace busbar::detail

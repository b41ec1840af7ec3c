/// The thread behind a Pusher, and the queue into it.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include <busbar/patterns/internal/engine_loop.hpp>
#include <busbar/patterns/internal/push_engine.hpp>
#include <busbar/patterns/pusher.hpp>

namespace busbar::detail {

class PushLoop final : public EngineLoop<PushEngine> {
 public:
  PushLoop(Context& context, PusherOptions options);

  StopReport report() const override;

  // Any thread; see Pusher.
  SendResult push(std::string_view payload, const PushOptions& options);
  void flush(std::chrono::milliseconds timeout);
  void wait_for_workers(std::size_t count, std::chrono::milliseconds timeout);
  void on_give_up(std::function<void(Message&&)> handler);
  PusherLedger ledger() const;

 private:
  bool turn(TimePoint now) override;
  bool needs_turn() const override { return inbox_presses(); }
  bool paces() override { return flooded_; }
  bool may_leave() const override { return held() == 0; }
  void ended() override {}

  bool inbox_presses() const noexcept;
  void take_inbox(TimePoint now);
  void show_counts();
  void give_up(std::vector<protocol::Job> jobs);
  std::uint64_t held() const noexcept;
  bool has_room(std::size_t bytes) const noexcept;

  const PusherOptions options_;
  const std::size_t packed_below_;
  std::vector<protocol::Lot> taken_;
  TimePoint flood_ends_{};

  // The mutex guards what follows.
  std::vector<protocol::Lot> inbox_;
  std::uint64_t inbox_messages_ = 0;
  bool flooded_ = false;
  std::size_t inbox_bytes_ = 0;
  PusherLedger ledger_;  ///< Of all but the inbox.
  std::function<void(Message&&)> handler_;
  std::uint64_t untaken_ = 0;  ///< Given up since the last flush, without a handler.
};

}  // namespace busbar::detail

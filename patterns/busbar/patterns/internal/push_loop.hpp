/// The thread behind a Pusher, and the queue into it.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <busbar/core/runner.hpp>
#include <busbar/patterns/internal/push_engine.hpp>
#include <busbar/patterns/internal/wake.hpp>
#include <busbar/patterns/pusher.hpp>

namespace busbar::detail {

class PushLoop final : public Active {
 public:
  PushLoop(Context& context, PusherOptions options);

  bool step(std::chrono::milliseconds wait) override;
  void request_stop(std::chrono::milliseconds deadline) noexcept override;
  StopReport report() const override;
  std::string name() const override { return options_.name; }

  // Any thread; see Pusher.
  SendResult push(protocol::Job job, std::chrono::milliseconds timeout);
  void flush(std::chrono::milliseconds timeout);
  bool wait_for_workers(std::size_t n, std::chrono::milliseconds timeout);
  void on_give_up(std::function<void(Message&&)> handler);
  PusherLedger ledger() const;
  const std::vector<Endpoint>& bound() const noexcept { return bound_; }

 private:
  bool turn(std::chrono::milliseconds wait);
  bool take_inbox();
  void show_counts();
  void give_up(std::vector<protocol::Job> jobs);
  void finish();
  std::uint64_t held() const noexcept;
  bool has_room(const protocol::Job& job) const noexcept;

  Context context_;
  PusherOptions options_;
  std::unique_ptr<PushEngine> engine_;
  std::vector<Endpoint> bound_;
  std::vector<protocol::Job> taken_;
  SocketPoll poll_;
  Wake wake_;

  mutable std::mutex mutex_;  ///< Guards all below.
  std::condition_variable changed_;
  std::vector<protocol::Job> inbox_;
  std::size_t inbox_bytes_ = 0;
  PusherLedger ledger_;  ///< Of all but the inbox.
  std::function<void(Message&&)> handler_;
  bool asleep_ = false;
  int waiters_ = 0;  ///< In changed_.
  std::optional<TimePoint> leave_at_;
  bool ended_ = false;
};

}  // namespace busbar::detail

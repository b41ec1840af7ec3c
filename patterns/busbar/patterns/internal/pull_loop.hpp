/// The thread behind a Puller, and what crosses into it.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <busbar/core/runner.hpp>
#include <busbar/patterns/internal/pull_engine.hpp>
#include <busbar/patterns/internal/wake.hpp>
#include <busbar/patterns/puller.hpp>

namespace busbar::detail {

class PullLoop final : public Active {
 public:
  PullLoop(Context& context, PullerOptions options);

  bool step(std::chrono::milliseconds wait) override;
  void request_stop(std::chrono::milliseconds deadline) noexcept override;
  StopReport report() const override;
  std::string name() const override { return name_; }

  // Any thread; see Puller.
  std::optional<protocol::Intake::Item> take(std::chrono::milliseconds timeout);
  void settle(std::uint64_t ticket, bool done, std::string_view reason) noexcept;
  void close();
  bool closed() const;
  PullerLedger ledger() const;
  const std::vector<Endpoint>& bound() const noexcept { return bound_; }

 private:
  bool turn(std::chrono::milliseconds wait);
  void finish();
  void wake_up();

  Context context_;
  std::string name_;
  mutable std::mutex mutex_;  ///< Guards what engine_ says, and all below it.
  std::unique_ptr<PullEngine> engine_;
  std::vector<Endpoint> bound_;
  SocketPoll poll_;
  Wake wake_;
  std::condition_variable arrived_;
  protocol::IntakeCounts last_;  ///< When it ended.
  int waiters_ = 0;              ///< In arrived_.
  bool asleep_ = false;
  bool closed_ = false;
  bool leaving_ = false;
};

}  // namespace busbar::detail

/// The thread behind a Puller, and what crosses into it.
#pragma once

#include <optional>
#include <string_view>

#include <busbar/patterns/internal/engine_loop.hpp>
#include <busbar/patterns/internal/pull_engine.hpp>
#include <busbar/patterns/internal/readable.hpp>
#include <busbar/patterns/puller.hpp>

namespace busbar::detail {

/// Answers gather at the loop's pace as long as there is other work to take.
class PullLoop final : public EngineLoop<PullEngine> {
 public:
  PullLoop(Context& context, PullerOptions options);

  StopReport report() const override;

  // Any thread; see Puller.
  std::optional<protocol::Intake::Item> take(std::chrono::milliseconds timeout);
  void settle(std::uint64_t ticket, bool done, std::string_view reason) noexcept;
  void close();
  bool closed() const;
  /// Readable while there is something to take, and from the end on.
  int fd();
  PullerLedger ledger() const;

 private:
  bool turn(TimePoint now) override;
  bool needs_turn() const override { return engine_->needs_turn() && presses(); }
  bool paces() override { return std::exchange(moved_, false) && engine_->anything_to_take(); }
  bool presses() const;
  bool may_leave() const override { return true; }
  void ended() override;
  void show_readable();

  const std::uint32_t credit_;

  // The mutex guards what follows.
  protocol::IntakeCounts last_;  ///< When it ended.
  Readable readable_;
  bool closed_ = false;
  bool moved_ = false;          ///< Something was received, taken or settled since the last sleep.
  std::uint64_t answered_ = 0;  ///< Messages since the last turn.
};

}  // namespace busbar::detail

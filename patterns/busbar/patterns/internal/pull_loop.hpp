/// The thread behind a Puller, and what crosses into it.
#pragma once

#include <optional>
#include <string_view>

#include <busbar/patterns/internal/engine_loop.hpp>
#include <busbar/patterns/internal/pull_engine.hpp>
#include <busbar/patterns/puller.hpp>

namespace busbar::detail {

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
  bool needs_turn() const override { return engine_->needs_turn(); }
  bool may_leave() const override { return true; }
  void ended() override;
  void show_readable();

  // The mutex guards what follows.
  protocol::IntakeCounts last_;   ///< When it ended.
  std::optional<Wake> readable_;  ///< Once it was asked for.
  bool shown_readable_ = false;
  bool closed_ = false;
};

}  // namespace busbar::detail

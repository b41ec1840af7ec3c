/// How a puller's messages arrive: by credit, or through a stock PULL socket.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

#include <busbar/patterns/internal/engine.hpp>
#include <busbar/patterns/puller.hpp>
#include <busbar/protocol/intake.hpp>

namespace busbar::detail {

/// What is new here is called with the mutex held.
class PullEngine : public Engine {
 public:
  /// Binds and connects; see Puller. `mutex` guards what takers and the loop share.
  static std::unique_ptr<PullEngine> create(Context& context, const PullerOptions& options,
                                            std::mutex& mutex);

  virtual bool anything_to_take() const = 0;
  /// The loop has something to do because of what was taken or settled.
  virtual bool needs_turn() const = 0;
  virtual std::optional<protocol::Intake::Item> take() = 0;
  virtual void settle(std::uint64_t ticket, protocol::Verdict verdict, std::string_view reason) = 0;
  virtual void close() = 0;
  virtual protocol::IntakeCounts counts() const = 0;
};

}  // namespace busbar::detail

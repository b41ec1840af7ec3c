/// How a puller's messages arrive: by credit, or through a stock PULL socket.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include <busbar/core/internal/links.hpp>
#include <busbar/patterns/puller.hpp>
#include <busbar/protocol/intake.hpp>

namespace busbar::detail {

/// The puller's own thread calls what is not marked; all the rest is called with the mutex held.
class PullEngine {
 public:
  /// Binds and connects; see Puller. `mutex` guards what is marked.
  static std::unique_ptr<PullEngine> create(Context& context, const PullerOptions& options,
                                            std::mutex& mutex);
  virtual ~PullEngine() = default;

  /// Receives and sends what there is. False: there was nothing to receive.
  virtual bool turn(TimePoint now) = 0;
  /// Adds what to wait for, and says until when at the latest.
  virtual TimePoint add_to(SocketPoll& poll) = 0;
  /// Sends what is left to be said.
  virtual void leave() = 0;
  virtual const std::vector<Endpoint>& bound() const = 0;

  // With the mutex held:
  virtual bool anything_to_take() const = 0;
  /// The loop has something to do because of what was taken or settled.
  virtual bool needs_turn() const = 0;
  virtual std::optional<protocol::Intake::Item> take() = 0;
  virtual void settle(std::uint64_t ticket, protocol::Verdict verdict, std::string_view reason) = 0;
  virtual void close() = 0;
  virtual protocol::IntakeCounts counts() const = 0;
  virtual Links::Trouble trouble() const { return {}; }
};

}  // namespace busbar::detail

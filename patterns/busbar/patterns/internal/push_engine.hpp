/// How a pusher's messages leave: by credit, or through a stock PUSH socket.
#pragma once

#include <memory>
#include <vector>

#include <busbar/patterns/internal/engine.hpp>
#include <busbar/patterns/pusher.hpp>
#include <busbar/protocol/dispatcher.hpp>

namespace busbar::detail {

class PushEngine : public Engine {
 public:
  /// Binds and connects; see Pusher.
  static std::unique_ptr<PushEngine> create(Context& context, const PusherOptions& options);

  /// Messages below that size are packed. 0: none are, and every lot is a job.
  virtual std::size_t packed_below() const = 0;
  virtual void push(protocol::Lot lot) = 0;
  virtual std::vector<protocol::Job> take_given_up() = 0;
  virtual protocol::DispatcherCounts counts() const = 0;
  virtual std::size_t bytes() const = 0;
};

}  // namespace busbar::detail

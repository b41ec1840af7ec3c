/// How a pusher's messages leave: by credit, or through a stock PUSH socket.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include <busbar/core/internal/links.hpp>
#include <busbar/core/internal/socket_poll.hpp>
#include <busbar/patterns/pusher.hpp>
#include <busbar/protocol/dispatcher.hpp>

namespace busbar::detail {

/// Lives in the pusher's own thread.
class PushEngine {
 public:
  /// Binds and connects; see Pusher.
  static std::unique_ptr<PushEngine> create(Context& context, const PusherOptions& options);
  virtual ~PushEngine() = default;

  virtual void push(protocol::Job job) = 0;
  /// Receives and sends what there is. False: there was nothing to receive.
  virtual bool turn(TimePoint now) = 0;
  /// Adds what to wait for, and says until when at the latest.
  virtual TimePoint add_to(SocketPoll& poll) = 0;
  virtual std::vector<protocol::Job> take_given_up() = 0;
  virtual protocol::DispatcherCounts counts() const = 0;
  virtual std::size_t bytes() const = 0;
  virtual void leave() = 0;
  virtual const std::vector<Endpoint>& bound() const = 0;
  virtual Links::Trouble trouble() const { return {}; }
};

}  // namespace busbar::detail

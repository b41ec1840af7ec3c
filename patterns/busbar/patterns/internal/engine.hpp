/// What moves a pattern's messages through its sockets.
#pragma once

#include <string>
#include <vector>

#include <busbar/core/error.hpp>
#include <busbar/core/internal/links.hpp>
#include <busbar/core/internal/socket_poll.hpp>

namespace busbar::detail {

/// Lives in the thread of its loop.
class Engine {
 public:
  virtual ~Engine() = default;

  /// Receives and sends what there is. False: there was nothing to receive.
  virtual bool turn(TimePoint now) = 0;
  /// Adds what to wait for, and says until when at the latest.
  virtual TimePoint add_to(SocketPoll& poll) = 0;
  /// Sends what is left to be said.
  virtual void leave() = 0;
  /// Last, and without the loop: as Socket::see_off.
  virtual void see_off(std::chrono::milliseconds) {}
  virtual const std::vector<Endpoint>& bound() const {
    static const std::vector<Endpoint> none;
    return none;
  }
  virtual Trouble trouble() const { return {}; }
};

/// Throws Error where there is neither an endpoint to bind nor one to connect to.
template <class Options>
void require_endpoint(const std::string& who, const Options& options) {
  if (!options.bind.empty() || !options.connect.empty()) return;
  throw Error(ErrorKind::usage, who, "it has no endpoint", "give one to bind or to connect");
}

}  // namespace busbar::detail

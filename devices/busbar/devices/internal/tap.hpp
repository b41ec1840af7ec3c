/// A copy of a device's traffic for whoever watches.
#pragma once

#include <string>

#include <busbar/core/context.hpp>
#include <busbar/core/internal/socket_poll.hpp>
#include <busbar/core/socket.hpp>

namespace busbar::detail {

/// Publishes `[DEVICE.forward or DEVICE.backward][header][frames…]`: lib/WIRE.md, "Tap". While
/// nobody watches it costs a comparison; a watcher that is slow loses copies, never the device.
class Tap {
 public:
  Tap(Context& context, const std::string& device, const Endpoint& endpoint,
      const Security& security);

  bool watched() const noexcept { return watchers_ > 0; }
  /// Copies `message` out. Frames above 33 bytes share their bytes.
  void show(Multipart& message, bool forward);
  /// Counts who watches, and looks after the connections; when to call again at the latest.
  TimePoint maintain();
  /// What has news for `maintain`.
  void add_to(SocketPoll& poll);
  Endpoint bound() const { return socket_.bound().front(); }

 private:
  std::string device_;
  Socket socket_;
  Multipart copy_;
  long watchers_ = 0;
};

}  // namespace busbar::detail

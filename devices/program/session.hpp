/// What every message command has: signals, a context, one socket, and one place to wait in.
#pragma once

#include "program/messages.hpp"

#include <chrono>
#include <optional>
#include <string>

#include <busbar/core/context.hpp>
#include <busbar/core/signals.hpp>
#include <busbar/core/socket.hpp>

namespace busbar::program {

class Session {
 public:
  /// Binds or connects, and says on stderr where it is bound. Throws Error.
  Session(SocketType type, const MessageOptions& options, bool refuse_when_full = false);

  Socket& socket() noexcept { return socket_; }
  const std::string& name() const noexcept { return name_; }  ///< `push tcp://…`, for errors

  /// Waits until the socket has one of `events` (ZMQ_POLLIN, ZMQ_POLLOUT, or 0), `descriptor` is
  /// readable or broken, or a signal has come; at most for `timeout`, and often shorter: a
  /// deadline is the caller's to keep. Maintains the socket.
  void wait(short events, int descriptor, short descriptor_events,
            std::optional<std::chrono::milliseconds> timeout);
  void wait(short events, std::optional<std::chrono::milliseconds> timeout) {
    wait(events, -1, 0, timeout);
  }
  /// The descriptor broke in the last wait: whoever read from us is gone.
  bool descriptor_broken() const noexcept { return broken_; }

  bool asked_to_end() const noexcept { return signals_seen_ > 0; }
  bool asked_to_stop_at_once() const noexcept { return signals_seen_ > 1; }
  bool has_peer();
  /// Error (timeout), or (refused) where the last handshake failed, or (unreachable) where the host
  /// has no address.
  [[noreturn]] void give_up(const std::string& cause, const std::string& remedy);

 private:
  Signals signals_;
  Context context_;
  std::string name_;
  Socket socket_;
  TimePoint maintain_at_{};
  int signals_seen_ = 0;
  bool broken_ = false;
  std::string unresolved_;
};

}  // namespace busbar::program

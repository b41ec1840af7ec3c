/// What a message command that speaks plain ZeroMQ has: signals, a context, one socket, and one
/// place to wait in.
#pragma once

#include "program/endpoints.hpp"
#include "program/waiter.hpp"

#include <chrono>
#include <optional>
#include <string>

#include <busbar/core/context.hpp>
#include <busbar/core/socket.hpp>

namespace busbar::program {

class Session : public Waiter {
 public:
  /// Binds or connects, and says on stderr where it is bound. Throws Error.
  Session(SocketType type, const MessageOptions& options);

  Socket& socket() noexcept { return socket_; }
  const std::string& name() const noexcept { return name_; }  ///< `push tcp://…`, for errors

  /// As Waiter does; maintains the socket as well.
  void wait(int readable, int output, std::optional<std::chrono::milliseconds> timeout) override {
    wait(0, readable, output, timeout);
  }
  /// Until the socket has one of `events` (ZMQ_POLLIN, ZMQ_POLLOUT, or 0), too.
  void wait(short events, int readable, int output,
            std::optional<std::chrono::milliseconds> timeout);
  void wait(short events, std::optional<std::chrono::milliseconds> timeout) {
    wait(events, -1, -1, timeout);
  }

  bool has_peer();
  Absence absence();
  /// Error (timeout), or (refused) where the last handshake failed, or (unreachable) where the host
  /// has no address, or the path does not let us in.
  [[noreturn]] void give_up(const std::string& cause, const std::string& remedy);

 private:
  Context context_;
  std::string name_;
  Socket socket_;
  TimePoint maintain_at_{};
  std::string unresolved_;
};

}  // namespace busbar::program

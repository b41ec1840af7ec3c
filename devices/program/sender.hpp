/// Sends messages and knows what has become of them: used by plain push, req and rep.
#pragma once

#include "program/session.hpp"

#include <chrono>
#include <cstdint>
#include <string>

#include <busbar/core/multipart.hpp>

namespace busbar::program {

/// A frame whose bytes libzmq gives back as soon as they are handed to the kernel, which is how we
/// know how many messages are still waiting. libzmq itself does not tell.
Frame tracked_frame(std::string bytes);

class Sender {
 public:
  Sender(Session& session, std::chrono::milliseconds patience)
      : session_(session), patience_(patience) {}

  /// Waits for a connected peer, or a signal. Throws Error (timeout, refused).
  void await_peer();

  enum class Outcome { sent, no_peer, ended };
  /// Waits for room as long as a peer is connected, and without one for `patience`; then throws
  /// Error (timeout). `ended`: asked to stop at once, or nobody took it after a signal. Throws
  /// Error (usage) for a message that is too large. `place` names the message.
  [[nodiscard]] Outcome send(Multipart& message, const std::string& place);

  /// Waits until all is handed to the kernel, for `patience` after the last that was. Throws Error
  /// (timeout) that says how many were not.
  void finish();
  std::uint64_t sent() const noexcept { return sent_; }

 private:
  void wait_for_room(std::chrono::steady_clock::time_point& give_up_at);

  Session& session_;
  std::chrono::milliseconds patience_;
  std::uint64_t sent_ = 0;
};

}  // namespace busbar::program

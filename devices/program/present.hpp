/// A peer among peers, for as long as one of the actions of `busbar peer` needs it.
#pragma once

#include "program/messages.hpp"
#include "program/waiter.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <busbar/core/context.hpp>
#include <busbar/patterns/peer.hpp>

namespace busbar::program {

struct PeerCommand {
  MessageOptions messages;
  PeerOptions peer;
  std::string action = "join";
  std::vector<std::string> targets;
  std::vector<std::string> groups;
  std::vector<std::string> connect;
  std::string bind;
  std::vector<std::string> offers;
  std::chrono::milliseconds wait{2000};
};

class Present {
 public:
  /// Is there, in its groups and with its offers, and says so on stderr. Throws Error.
  explicit Present(const PeerCommand& command);

  Peer& operator*() noexcept { return *peer_; }
  Peer* operator->() noexcept { return &*peer_; }
  Waiter& waiter() noexcept { return waiter_; }

  /// Waits for `condition`, at most for `longest`. False: not in time, or asked to end.
  template <class Condition>
  bool await(Condition condition, std::chrono::milliseconds longest) {
    const auto end = std::chrono::steady_clock::now() + longest;
    while (!condition()) {
      if (waiter_.asked_to_end() || std::chrono::steady_clock::now() >= end) return false;
      peer_->drain([](PeerEvent&) {});
      waiter_.wait(tick);
    }
    return true;
  }
  [[noreturn]] void give_up(const std::string& cause, const std::string& remedy,
                            ErrorKind kind = ErrorKind::timeout) const;
  /// Leaves. Returns when ZeroMQ has sent all, or gives up.
  void end();

 private:
  const PeerCommand& command_;
  Waiter waiter_;
  std::optional<Context> context_;
  std::optional<Peer> peer_;
};

}  // namespace busbar::program

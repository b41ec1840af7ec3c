/// The way of work through a streamer that knows credit and acknowledgements.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>

#include <busbar/core/socket.hpp>
#include <busbar/devices/internal/lane.hpp>
#include <busbar/devices/internal/protocol_lane.hpp>
#include <busbar/protocol/dispatcher.hpp>
#include <busbar/protocol/intake.hpp>

namespace busbar::detail {

/// A puller towards the frontend and a pusher towards the backend. It asks for as much as its
/// workers have credit for, and answers for a message when a worker has; it tries nothing twice,
/// but says what became of it, so that the pusher's rules hold. Heartbeats go on while it is
/// paused.
class CreditLane final : public ProtocolLane {
 public:
  /// A side that binds is a ROUTER, one that connects, to one endpoint, a DEALER.
  CreditLane(Hops& hops, const DeviceOptions& first, const DeviceOptions& last, Socket& frontend,
             Socket& backend);
  CreditLane(const CreditLane&) = delete;
  CreditLane& operator=(const CreditLane&) = delete;

  static SocketType type_of(const SideOptions& side) noexcept {
    return side.bind.empty() ? SocketType::dealer : SocketType::router;
  }

  /// Moves what there is; `takes`: new messages too. Answers how many were taken.
  std::size_t burst(TimePoint now, std::size_t most, bool takes) override;
  TimePoint next_deadline() const noexcept override {
    return std::min(intake_.next_deadline(), dispatcher_.next_deadline());
  }
  /// Takes no more, and gives back what was not taken.
  void close() override { intake_.close(); }
  bool holds() const noexcept override {
    return !tickets_.empty() || dispatcher_.counts().waiting > 0;
  }
  /// Gives back what no worker has, and says goodbye; answers how many messages that are.
  std::uint64_t leave() override;

 private:
  struct Side {
    Socket& socket;
    bool routed;
    bool receive(protocol::Address& from, Multipart& into);
    bool send(const protocol::Address& to, Multipart& frames);
  };

  bool take();
  void pass(protocol::Intake::Item item);
  void answer(std::uint64_t number, protocol::Verdict verdict, std::string_view reason);
  void send_all();
  void book();

  Hops& hops_;
  Side frontend_;
  Side backend_;
  std::size_t most_waiting_;
  protocol::Intake intake_;
  protocol::Dispatcher dispatcher_;
  std::unordered_map<std::uint64_t, std::uint64_t> tickets_;  ///< By the dispatcher's number.
  TimePoint now_{};                                           ///< Of the last burst.
  protocol::Address from_;
  Multipart frames_;
  protocol::Outgoing out_;
};

}  // namespace busbar::detail

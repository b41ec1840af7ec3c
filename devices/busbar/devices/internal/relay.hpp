/// The loop of a device, or of several that are chained without a socket hop between them.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <busbar/core/control_protocol.hpp>
#include <busbar/core/internal/socket_poll.hpp>
#include <busbar/core/internal/wake.hpp>
#include <busbar/core/runner.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/devices/device.hpp>
#include <busbar/devices/internal/lane.hpp>
#include <busbar/devices/internal/protocol_lane.hpp>
#include <busbar/devices/internal/relay_state.hpp>

namespace busbar::detail {

/// One or more devices of one kind in a row: what leaves a device's backend enters the next one's
/// frontend in memory. Only the first one's frontend and the last one's backend have sockets; each
/// has its own stages, ledger, tap and control endpoint. Pausing, draining or stopping one of them
/// does so to all.
class Relay : public Active {
 public:
  /// Binds and connects at once. Throws Error; see Device.
  static std::shared_ptr<Relay> create(Context& context, DeviceKind kind,
                                       std::vector<DeviceOptions> chain);
  Relay(Context& context, DeviceKind kind, std::vector<DeviceOptions> chain);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay() override;

  bool step(std::chrono::milliseconds wait) override;
  /// 0 ms: stop at once; else drain.
  void request_stop(std::chrono::milliseconds deadline) noexcept override;
  StopReport report() const override;
  std::string name() const override;

  /// Any thread, as in Device. `deadline` counts for drain.
  void command(control::Command command, std::chrono::milliseconds deadline);
  std::vector<Ledger> ledgers() const;
  std::vector<Endpoint> frontend() const { return frontend_bound_; }
  std::vector<Endpoint> backend() const { return backend_bound_; }
  std::optional<Endpoint> control(std::size_t device) const { return control_bound_.at(device); }
  std::optional<Endpoint> tap(std::size_t device) const { return tap_bound_.at(device); }

 private:
  struct Posted {
    control::Command command;
    std::chrono::milliseconds deadline;
  };
  struct Pending {
    ControlServer* server;
    ControlServer::Envelope envelope;
    std::size_t device;
  };

  void take_commands();
  void carry_out(control::Command command, std::chrono::milliseconds deadline);
  bool poll(std::chrono::milliseconds wait);
  std::chrono::milliseconds longest_wait(std::chrono::milliseconds wait, bool retries);
  void watch_connections();
  std::optional<std::uint64_t> backlog() const;
  void move_messages();
  void serve_control();
  void maintain(TimePoint now);
  void finish();

  Context context_;
  std::chrono::milliseconds drain_timeout_;
  int frontend_queue_;
  bool frontend_bounded_;
  Hops hops_;
  std::optional<Socket> frontend_;
  std::optional<Socket> backend_;  ///< Services have none.
  Lane forward_;
  std::optional<Lane> backward_;
  std::optional<SubscriptionLane> subscriptions_;
  std::unique_ptr<ProtocolLane> protocol_;  ///< In place of the lanes.
  RelayState state_;
  std::chrono::milliseconds linger_{1000};  ///< When the sockets are closed.
  std::uint64_t replies_due_ = 0;
  TimePoint maintain_at_ = TimePoint::min();
  TimePoint maintained_at_ = TimePoint::min();
  bool may_have_news_ = false;  ///< Of connections, for `maintain`.
  std::chrono::milliseconds retry_;
  SocketPoll poll_;
  std::vector<Pending> pending_;
  Wake wake_;

  std::vector<Endpoint> frontend_bound_;
  std::vector<Endpoint> backend_bound_;
  std::vector<std::optional<Endpoint>> control_bound_;
  std::vector<std::optional<Endpoint>> tap_bound_;

  mutable std::mutex books_;  ///< Guards the hops' books and what is below; held for a burst.
  std::vector<PeerInfo> peers_;
  std::string state_name_ = "running";
  std::uint64_t abandoned_ = 0;
  std::uint64_t unanswered_ = 0;  ///< Requests, when a drain ended.
  std::vector<std::string> remains_;
  std::optional<TimePoint> asked_to_end_;
  std::chrono::milliseconds took_{0};

  std::atomic<bool> has_posted_ = false;  ///< Asked before each burst: reading wake_ would cost.
  std::mutex posted_mutex_;
  std::vector<Posted> posted_;
};

}  // namespace busbar::detail

/// The loop of a device, or of several that are chained without a socket hop between them.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <busbar/core/control_protocol.hpp>
#include <busbar/core/runner.hpp>
#include <busbar/devices/device.hpp>

namespace busbar {

/// One or more devices of one kind in a row: what leaves a device's backend enters the next one's
/// frontend in memory. Only the first one's frontend and the last one's backend have sockets; each
/// has its own stages, ledger, tap and control endpoint. Pausing, draining or stopping one of them
/// does so to all.
class Relay : public Active {
 public:
  static std::shared_ptr<Relay> create(Context& context, DeviceKind kind,
                                       std::vector<DeviceOptions> chain);

  bool step(std::chrono::milliseconds wait) override = 0;
  void request_stop(std::chrono::milliseconds deadline) noexcept override = 0;
  StopReport report() const override = 0;

  /// Any thread, as in Device.
  virtual void command(control::Command command, std::chrono::milliseconds deadline) = 0;
  virtual std::vector<Ledger> ledgers() const = 0;
  virtual std::vector<Endpoint> frontend() const = 0;
  virtual std::vector<Endpoint> backend() const = 0;
  virtual std::optional<Endpoint> control(std::size_t device) const = 0;
  virtual std::optional<Endpoint> tap(std::size_t device) const = 0;
};

}  // namespace busbar

/// One device within a relay: its stages, its books, its tap and its control endpoint.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <busbar/devices/device.hpp>
#include <busbar/devices/internal/control_server.hpp>
#include <busbar/devices/internal/tap.hpp>
#include <busbar/devices/internal/topic_table.hpp>

namespace busbar::detail {

/// What passes is booked on both sides; what does not is booked under its cause on the side that it
/// came from. The relay books what happens at its two sockets.
struct Hop {
  Hop(Context& context, DeviceKind kind, const DeviceOptions& options);

  /// Takes a message of `bytes` in at the frontend and leaves both as they leave the backend.
  /// False: it does not go on.
  bool forward(Multipart& message, std::size_t& bytes) {
    ++frontend.received;
    frontend.received_bytes += bytes;
    if (kind == DeviceKind::forwarder) topics.count(message.text(0), bytes);
    return !looks_inside_ || show_and_apply(message, bytes);
  }
  /// Replies: in at the backend, out at the frontend.
  void backward(Multipart& message, std::size_t bytes) {
    ++backend.received;
    backend.received_bytes += bytes;
    if (tap && tap->watched()) tap->show(message, false);
  }

  void maintain();
  Ledger ledger(std::string_view state) const;

  std::string name;
  DeviceKind kind;
  StagePipeline stages;
  SideLedger frontend;
  SideLedger backend;
  SubscriptionLedger subscriptions;
  TopicTable topics;
  std::unique_ptr<Tap> tap;
  std::unique_ptr<ControlServer> control;

 private:
  bool show_and_apply(Multipart& message, std::size_t& bytes);

  bool looks_inside_;  ///< Has a tap or a stage: most devices have neither.
};

}  // namespace busbar::detail

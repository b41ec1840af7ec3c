/// One device within a relay: its stages, its books, its tap and its control endpoint.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include <busbar/core/internal/slow_peers.hpp>
#include <busbar/core/internal/topic_losses.hpp>
#include <busbar/devices/device.hpp>
#include <busbar/devices/internal/cache.hpp>
#include <busbar/devices/internal/control_server.hpp>
#include <busbar/devices/internal/tap.hpp>
#include <busbar/devices/internal/topic_table.hpp>
#include <busbar/protocol/message_frame.hpp>
#include <busbar/protocol/pubsub_control.hpp>

namespace busbar::detail {

/// What a ZeroMQ message counts for. A publisher's batch is as many messages as it says.
struct Weight {
  std::size_t bytes = 0;
  std::uint32_t messages = 1;
  std::size_t topic_bytes = 0;  ///< What of a forwarder's first frame is the topic.

  void received_by(SideLedger& side) const noexcept {
    side.received += messages;
    side.received_bytes += bytes;
  }
  void sent_by(SideLedger& side) const noexcept {
    side.sent += messages;
    side.sent_bytes += bytes;
  }
};

/// What passes is booked on both sides; what does not is booked under its cause on the side that it
/// came from. The relay books what happens at its two sockets.
struct Hop {
  Hop(Context& context, DeviceKind kind, const DeviceOptions& options);

  /// What a message that comes from the frontend counts for.
  Weight weigh(const Multipart& message) const noexcept {
    if (kind != DeviceKind::forwarder) return {message.bytes()};
    const std::string_view first = message.text(0);
    const std::size_t size = message.size();
    if (protocol::is_reserved(first)) {
      return {message.bytes(), size == 2 ? protocol::messages_in(message.text(1)) : 1};
    }
    const std::size_t place = protocol::header_place(first);
    return {message.bytes(), size == 1 ? protocol::messages_in(first, place) : 1,
            std::min(place, first.size())};
  }
  /// Takes a message in at the frontend and leaves both as they leave the backend. False: it does
  /// not go on.
  bool forward(Multipart& message, Weight& weight) {
    weight.received_by(frontend);
    if (kind == DeviceKind::forwarder && !protocol::is_reserved(message.text(0))) {
      topics.count(message.text(0).substr(0, weight.topic_bytes), weight.messages, weight.bytes);
    }
    return !looks_inside_ || show_and_apply(message, weight);
  }
  /// Replies: in at the backend, out at the frontend.
  void backward(Multipart& message, const Weight& weight) {
    weight.received_by(backend);
    if (tap && tap->watched()) tap->show(message, false);
  }

  /// Some of a forwarder's subscribers have no room for it.
  void note_overflow(const Multipart& message, const Weight& weight);

  /// Looks after tap and control endpoint; when to call again at the latest.
  TimePoint maintain();
  /// What has news for `maintain`.
  void add_to(SocketPoll& poll);
  /// Since the last look.
  bool has_overflowed() const noexcept { return overflowed_; }
  /// With the books' lock.
  void look_for_slow_peers();
  Ledger ledger(std::string_view state) const;

  std::string name;
  DeviceKind kind;
  StagePipeline stages;
  SideLedger frontend;
  SideLedger backend;
  SubscriptionLedger subscriptions;
  RequestLedger requests;
  TopicTable topics;
  std::unique_ptr<Tap> tap;
  std::unique_ptr<ControlServer> control;
  std::unique_ptr<Cache> cache;
  SlowPeers subscribers;  ///< Is told the events of a forwarder's backend.

 private:
  bool show_and_apply(Multipart& message, Weight& weight);

  TopicLosses losses_;
  bool overflowed_ = false;
  std::vector<std::string> slow_peers_;
  bool looks_inside_;  ///< Has a tap, a stage or a cache: most devices have none.
};

}  // namespace busbar::detail

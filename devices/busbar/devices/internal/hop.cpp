#include "busbar/devices/internal/hop.hpp"

#include <busbar/devices/internal/stage_published.hpp>

namespace busbar::detail {

namespace {

/// Where the envelope ends: behind the first empty frame, or behind the routing id where a DEALER
/// client sends none; behind the inbox of what a publisher sends to one subscriber alone.
std::size_t body_of(DeviceKind kind, const Multipart& message) {
  if (kind == DeviceKind::forwarder) return protocol::is_reserved(message.text(0)) ? 1 : 0;
  if (kind != DeviceKind::queue) return 0;
  for (std::size_t i = 1; i + 1 < message.size(); ++i) {
    if (message[i].size() == 0) return i + 1;
  }
  return 1;
}

/// What publishers and subscribers say to one another about messages is none.
bool is_control(DeviceKind kind, const Multipart& message) {
  return kind == DeviceKind::forwarder && message.size() == 2 &&
         protocol::is_reserved(message.text(0)) && protocol::is_control(message.text(1));
}

constexpr std::size_t topics_shown = 20;

}  // namespace

Hop::Hop(Context& context, DeviceKind device_kind, const DeviceOptions& options)
    : name(options.name.empty() ? std::string(name_of(device_kind)) : options.name),
      kind(device_kind),
      stages(options.stages, context.clock()),
      looks_inside_(options.tap.has_value() || !options.stages.empty() ||
                    options.cache != LateJoin::nothing) {
  if (options.cache != LateJoin::nothing) cache = std::make_unique<Cache>(name, options.cache);
  if (options.control) {
    control =
        std::make_unique<ControlServer>(context, name, *options.control, options.control_security);
  }
  if (options.tap) tap = std::make_unique<Tap>(context, name, *options.tap, options.tap_security);
}

bool Hop::show_and_apply(Multipart& message, Weight& weight) {
  if (tap && tap->watched()) tap->show(message, true);
  if (is_control(kind, message)) {
    if (!stages.empty()) rename_streams(stages, message);
    weight.bytes = message.bytes();
    return true;
  }
  if (const std::optional<Cause> cause = stages.apply(message, body_of(kind, message))) {
    frontend[*cause] += weight.messages;
    return false;
  }
  if (cache) cache->number(message, std::chrono::steady_clock::now());
  weight.bytes = message.bytes();
  weight.topic_bytes = protocol::topic_of(message.text(0)).size();
  return true;
}

void Hop::note_overflow(const Multipart& message, const Weight& weight) {
  overflowed_ = true;
  if (is_control(kind, message)) return;
  const bool to_one = protocol::is_reserved(message.text(0));
  const std::string_view topic = protocol::topic_of(message.text(to_one ? 1 : 0));
  if (topic.size() > limits::topic_bytes) return;
  losses_.count(topic, weight.messages, weight.bytes);
}

void Hop::look_for_slow_peers() {
  if (overflowed_) slow_peers_ = subscribers.full();
  overflowed_ = false;
}

TimePoint Hop::maintain() {
  const TimePoint next = tap ? tap->maintain() : TimePoint::max();
  return control ? std::min(next, control->maintain()) : next;
}

void Hop::add_to(SocketPoll& poll) {
  if (tap) tap->add_to(poll);
  if (control) poll.add_unasked(control->monitor());
}

Ledger Hop::ledger(std::string_view state) const {
  return {name,
          std::string(name_of(kind)),
          std::string(state),
          frontend,
          backend,
          subscriptions,
          topics.busiest(topics_shown),
          {},
          losses_.most(),
          slow_peers_,
          requests};
}

}  // namespace busbar::detail

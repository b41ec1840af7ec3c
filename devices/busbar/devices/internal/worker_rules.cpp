#include "busbar/devices/internal/worker_rules.hpp"

namespace busbar::detail {

WorkerRules rules_of(const WorkerOptions& given) {
  const WorkerRules usual;
  return {.heartbeat = given.heartbeat.value_or(usual.heartbeat),
          .expiry = given.expiry.value_or(usual.expiry),
          .hold_messages = given.hold_messages.value_or(usual.hold_messages),
          .hold_bytes = given.hold_bytes.value_or(usual.hold_bytes),
          .hold_age = given.hold_age.value_or(usual.hold_age),
          .prefetch = given.prefetch.value_or(usual.prefetch)};
}

}  // namespace busbar::detail

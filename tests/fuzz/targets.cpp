#include "fuzz/targets.hpp"

#include "fuzz/broker_targets.hpp"
#include "fuzz/core_targets.hpp"
#include "fuzz/device_targets.hpp"
#include "fuzz/pattern_targets.hpp"
#include "fuzz/peer_targets.hpp"
#include "fuzz/request_targets.hpp"
#include "fuzz/service_targets.hpp"

namespace busbar::fuzz {

namespace {

/// Proves that a broken property is found: it must fail.
void canary(std::string_view bytes) { check(bytes.find("bird") != 0, "the canary is dead"); }

}  // namespace

const std::vector<Target>& targets() {
  static const std::vector<Target> table{
      {"endpoint", endpoint, endpoint_seeds()},
      {"topic_pattern", topic_pattern, topic_pattern_seeds()},
      {"control_request", control_request, control_request_seeds()},
      {"control_reply", control_reply, control_reply_seeds()},
      {"msgpack", msgpack_value, msgpack_seeds()},
      {"work", work, work_seeds()},
      {"header", header, header_seeds()},
      {"pubsub_control", pubsub_control, pubsub_control_seeds()},
      {"subscriber", subscriber, subscriber_seeds()},
      {"publisher", publisher, publisher_seeds()},
      {"correlation", correlation, correlation_seeds()},
      {"requester", requester, requester_seeds()},
      {"replier", replier, replier_seeds()},
      {"freelance", freelance, freelance_seeds()},
      {"zre", zre, zre_seeds()},
      {"peer", peer, peer_seeds()},
      {"majordomo", majordomo, majordomo_seeds()},
      {"broker", broker, broker_seeds()},
      {"broker_prefetch", broker_prefetch, broker_prefetch_seeds()},
      {"pirates", pirates, pirates_seeds()},
      {"service_worker", service_worker, service_worker_seeds()},
      {"service_call", service_call, service_call_seeds()},
      {"topology", topology, topology_seeds()},
      {"stage", stage, stage_seeds()},
      {"translation", translation, translation_seeds()},
      {"canary", canary, {"bard", "bind"}},
  };
  return table;
}

const Target* find_target(std::string_view name) {
  for (const Target& target : targets()) {
    if (target.name == name) return &target;
  }
  return nullptr;
}

}  // namespace busbar::fuzz

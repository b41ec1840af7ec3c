/// Publish/subscribe through a process in the middle: Busbar's patterns through a forwarder, beside
/// stock ZeroMQ through zmq_proxy, nats-server and mosquitto.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::program::bench {

/// What carries the messages. All keep every message: who is slow slows the publisher.
enum class Carrier {
  batched,    ///< Publisher with batching, a forwarder, Subscriber.
  unbatched,  ///< Publisher, a forwarder, Subscriber.
  zmq_proxy,  ///< XPUB that refuses when full, zmq_proxy(3), SUB: topic and payload.
  nats,       ///< libnats, nats-server.
  mosquitto,  ///< libmosquitto, mosquitto; MQTT 3.1.1, QoS 0.
};
std::string_view name_of(Carrier carrier) noexcept;
/// Empty where it can be measured; else what is missing.
std::string why_not(Carrier carrier);

/// Messages a second at each subscriber, the mean over all of them. 0: none arrived.
double measure_pubsub(Carrier carrier, std::size_t size, std::size_t subscribers,
                      std::chrono::milliseconds window);

struct OneWay {
  double p50_us = 0;
  double p99_us = 0;
};
/// A message now and then, direct: Publisher with batching to Subscriber, or stock PUB to SUB.
OneWay measure_lone_message(bool stock, std::size_t size, std::size_t messages);

}  // namespace busbar::program::bench

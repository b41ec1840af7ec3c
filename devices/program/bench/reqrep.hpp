/// Round trips through a queue: Requester and Replier, beside stock sockets and other systems.
#pragma once

#include "program/bench/trial.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace busbar::program::bench {

enum class Desk {
  busbar,     ///< Requester, queue proxy, Replier.
  batched,    ///< The same, with up to 32 requests in a message.
  stock,      ///< DEALER, queue proxy, REP.
  zmq_proxy,  ///< DEALER, zmq_proxy, REP.
  nats,       ///< Its own server and clients; round trips a second only.
};
std::string_view name_of(Desk desk) noexcept;
/// Empty, or why it cannot be measured here.
std::string why_not(Desk desk);

/// Round trips a second, with `in_flight` requests unanswered all the while.
double measure_round_trips(Desk desk, std::size_t size, std::size_t in_flight,
                           std::chrono::milliseconds window);
/// One request at a time.
Latency measure_round_trip(Desk desk, std::size_t size, std::size_t rounds);

}  // namespace busbar::program::bench

/// How requests are told apart on the wire.
#pragma once

namespace busbar {

enum class RequestWire {
  /// lib/WIRE.md; stock REQ, REP and DEALER, and queues between.
  busbar,
  /// 10/FLP, the Freelance protocol: ROUTER on both sides, directly, and liveness by PING and PONG.
  /// A server's identity is the endpoint that it binds, so that has to be one without a wildcard,
  /// and the same text at both ends. Such a replier serves requesters on Busbar's own wire too; a
  /// requester finds no server where none speaks it, and its requests expire.
  freelance,
};

}  // namespace busbar

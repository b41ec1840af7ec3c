/// What became of every message: counts that reconcile.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace busbar {

/// Why a message did not go on. The first group is charged to the side that received it, the last
/// to the side that could not send it.
enum class Cause : std::uint8_t {
  topic_filter,      ///< A stage keeps only other topics.
  sampled_out,       ///< A stage lets one in so many through.
  rate_limited,      ///< A stage's rate was used up.
  not_translatable,  ///< The payload is not what a stage translates from.
  too_large,         ///< Above limits::message_bytes in all.
  too_many_frames,   ///< Above limits::frames.
  malformed,         ///< Not what this kind of device carries: no envelope, a bad subscription.
  abandoned,         ///< Still waiting when the device was stopped.
  overflow,  ///< A peer's queue was full and the policy is drop; other subscribers may have it.
  no_peer,   ///< The peer it was addressed to is gone.
  expired,   ///< Held for too long: no worker became free, or the rest of an answer never came.
};
inline constexpr std::size_t cause_count = 11;

enum class CauseClass { filtered, refused, dropped };
CauseClass class_of(Cause cause) noexcept;
/// `topic_filter`, `no_peer`, …: as in the control protocol and in JSON.
std::string_view name_of(Cause cause) noexcept;

/// One side of a device. Counts are messages, whatever their number of frames.
struct SideLedger {
  std::uint64_t received = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t sent = 0;  ///< Accepted by ZeroMQ for sending.
  std::uint64_t sent_bytes = 0;
  std::uint64_t held = 0;  ///< Received on the other side and waiting for room on this one.
  std::array<std::uint64_t, cause_count> by_cause{};

  std::uint64_t& operator[](Cause cause) noexcept {
    return by_cause[static_cast<std::size_t>(cause)];
  }
  std::uint64_t operator[](Cause cause) const noexcept {
    return by_cause[static_cast<std::size_t>(cause)];
  }
  /// The sum over the causes of one class.
  std::uint64_t total(CauseClass cause_class) const noexcept;
};

/// A forwarder's subscriptions travel against the messages and are counted apart.
struct SubscriptionLedger {
  std::uint64_t received = 0;
  std::uint64_t forwarded = 0;
  std::uint64_t refused = 0;  ///< Longer than limits::topic_bytes, or no subscription at all.
};

/// What became of the requests that services, and a queue with the strategy `ready`, have sent to
/// workers: backend.sent = answered + with_workers + unanswered.
struct RequestLedger {
  std::uint64_t answered = 0;      ///< By a worker, or by the broker itself (MMI).
  std::uint64_t with_workers = 0;  ///< Now.
  /// Their worker died, left or gave them up; whether they were done nobody knows. What such a
  /// worker says after all counts here.
  std::uint64_t unanswered = 0;
};

struct TopicCount {
  std::string topic;
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};

/// A connection as the socket monitor knows it.
struct PeerInfo {
  std::string side = {};  ///< `frontend` or `backend`
  /// `127.0.0.1:40312`; the endpoint with ipc, and where we connect; `unknown` for all who left
  /// before they could be asked for it, and over ipc for those whose handshake failed.
  std::string address = {};
  bool connected = false;         ///< Its handshake has succeeded, and it has not left.
  std::uint64_t connections = 0;  ///< Times it was connected.
  std::uint64_t refused = 0;      ///< Times its handshake failed.
  std::string last_failure = {};  ///< Why the last handshake failed; else empty.
};

/// A snapshot of one device.
struct Ledger {
  std::string name;
  std::string kind;   ///< `forwarder`, `streamer`, `queue`, `services`
  std::string state;  ///< `running`, `paused`, `draining`, `stopped`
  SideLedger frontend;
  SideLedger backend;
  SubscriptionLedger subscriptions;
  /// The busiest first, at most 20. Forwarders; a first frame above 240 bytes is no topic.
  /// Services: the names that were asked for.
  std::vector<TopicCount> topics;
  std::vector<PeerInfo> peers;
  /// What a forwarder's subscribers had no room for (Cause::overflow): the busiest first, at
  /// most 20.
  std::vector<TopicCount> dropped_topics = {};
  /// Whose queues were full last, by address, or by endpoint where it connected; tcp and ipc.
  std::vector<std::string> slow_peers = {};
  RequestLedger requests = {};

  /// In each direction: received = sent + filtered + refused + dropped + held. And those of
  /// RequestLedger.
  bool reconciles() const noexcept;
};

}  // namespace busbar

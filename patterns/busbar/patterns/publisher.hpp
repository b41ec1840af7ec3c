/// Publishes messages to whoever subscribes, directly or through any chain of forwarders.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <busbar/core/codec.hpp>
#include <busbar/core/context.hpp>
#include <busbar/core/ledger.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/patterns/wire.hpp>
#include <busbar/protocol/publisher_protocol.hpp>

namespace busbar {

namespace detail {
class PublisherLoop;
}

/// What happens where a subscriber's queue is full.
enum class SlowSubscriber {
  drop,   ///< It misses the message; the others get it. It may fetch it from the history.
  block,  ///< `publish` waits for it, on any topic, for `block_for`, then answers `full`.
  /// As `block`, but its connection is cut after `block_for`: it comes back, and may fetch the
  /// rest. inproc connections cannot be cut. A forwarder in between is what is cut, with all behind
  /// it.
  disconnect,
};

/// What gathers while the last batch is on its way goes as one ZeroMQ message. A lone message still
/// leaves at once, unless there is a linger. The bounds are those of a batch, of one topic.
struct Batching {
  std::size_t bytes = 256u << 10;  ///< At most limits::message_bytes.
  std::uint32_t messages = 10'000;
  /// The first message of a batch waits so long for more, unless a bound is reached, or somebody
  /// waits for room, in `flush`, or for the end.
  std::chrono::milliseconds linger{0};
};

struct PublisherOptions {
  /// Unique among publishers: subscribers notice a restart by it. Two that share one lose nothing
  /// by it, but their restarts are not seen (GapCause::name_shared).
  std::string name = {};
  std::vector<Endpoint> bind = {};
  std::vector<Endpoint> connect = {};
  Security security = {};  ///< Keys, and who may subscribe; off loopback see Security.
  Wire wire = Wire::busbar;
  std::optional<Batching> batching = {};
  /// Any number may join at once: they get what is kept by turns, as there is room, and fetch what
  /// was lost on the way. LateJoin::last_value takes up to history.bytes beside the history.
  LateJoin late_join = LateJoin::nothing;
  HistoryLimits history = {};
  SlowSubscriber slow = SlowSubscriber::drop;
  /// How long `publish` waits for room, and a full subscriber for its end (`disconnect`).
  std::chrono::milliseconds block_for{1000};
  /// ZeroMQ messages (batches) for each subscriber, ZMQ_SNDHWM; fewer where so many full batches
  /// were more than 64 MiB. 0: no bound without batching.
  int queue = 1000;
  std::size_t queue_bytes = 16u << 20;  ///< Batches that gather in front of those queues.
  /// At the end, for what subscribers have not read yet; see Socket::see_off.
  std::chrono::milliseconds linger{1000};
};

struct PublishOptions {
  Headers headers = {};
  /// Which one within the topic; at most limits::topic_bytes. See Publisher::publish.
  std::string_view stream = {};
};

/// Counts of messages. published = sent + waiting; what was dropped for one subscriber is sent.
/// After a stop `waiting` is what will never go, and there are no peers.
struct PublisherLedger {
  std::uint64_t published = 0;
  std::uint64_t published_bytes = 0;  ///< Payloads.
  std::uint64_t sent = 0;             ///< Handed to ZeroMQ, which drops what nobody subscribes to.
  std::uint64_t waiting = 0;          ///< In batches, or for room.
  std::uint64_t batches = 0;          ///< ZeroMQ messages that `sent` went in.
  std::uint64_t refused = 0;          ///< `full` or `too_large`.
  /// Messages that at least one subscriber missed as its queue was full. A lower bound: libzmq
  /// tells when a queue becomes full, and nothing more until it was half read. The subscriber's own
  /// ledger has what it lost to the message.
  std::uint64_t dropped = 0;
  std::vector<TopicCount> dropped_topics = {};  ///< The busiest first, at most 20.
  std::vector<std::string> slow_peers =
      {};                          ///< Whose queues were full last, by address or endpoint.
  std::uint64_t disconnected = 0;  ///< Connections cut by SlowSubscriber::disconnect.
  std::size_t history_messages = 0;
  std::size_t history_bytes = 0;  ///< Last values included.
  std::vector<PeerInfo> peers = {};
  std::string unresolved = {};  ///< Why no address or permission, until a connection succeeds.

  bool reconciles() const noexcept { return published == sent + waiting; }
};

/// Any thread may call; messages of one thread keep their order. A thread of its own answers to
/// subscribers.
class Publisher {
 public:
  /// Throws Error as Socket does: no endpoint, one that cannot be bound, no keys off loopback.
  Publisher(Context& context, PublisherOptions options);
  Publisher(Publisher&&) noexcept;
  Publisher& operator=(Publisher&&) noexcept;
  /// Sends what gathered for at most a second, stays until it is read for at most `linger`, and
  /// never hangs. Of messages that were dropped at the very end subscribers may hear nothing:
  /// SlowSubscriber::block drops none.
  ~Publisher();

  /// sent: handed to ZeroMQ, or to the batch that goes next. full: no room within `block_for`,
  /// where subscribers are waited for, or queue_bytes of batches wait. too_large: all of it above
  /// limits::message_bytes, or its headers above limits::header_bytes. The answer may be left
  /// unread, as the ledger counts what was not sent (`refused`).
  ///
  /// Bytes and text go as they are. Throws Error (usage): no valid topic, headers or a stream with
  /// wire = plain, or it was stopped, alone or with its context. Blocks for at
  /// most `block_for`: where a subscriber is full, unless slow ones miss messages, or while
  /// queue_bytes of batches wait for the background thread.
  ///
  /// What is published under a topic is numbered and comes out in order; with `stream`, each such
  /// name (say, a customer) has numbers of its own within the topic: a message that is missing
  /// holds up no other stream's, and LateJoin::last_value is kept for each. 65,536 streams are
  /// known at a time: beyond that the one not used for longest is forgotten with its last value,
  /// and comes back as a new one, numbered from 1.
  SendResult publish(std::string_view topic, std::string_view payload,
                     const PublishOptions& options = {});
  /// Any other type that msgpack can take goes packed: `message.as<T>()` at the other end.
  template <class T>
  requires(!std::convertible_to<const T&, std::string_view>) SendResult
      publish(std::string_view topic, const T& value, const PublishOptions& options = {}) {
    return publish(topic, std::string_view{pack(value)}, options);
  }

  /// Returns once `count` subscribers take the topic, on the whole way through any number of
  /// forwarders, so that the next message reaches them. Throws Error (timeout) that says how many
  /// there were, and Error (usage) after a stop and for a pattern: it is about one topic. Stock
  /// subscribers behind one forwarder count as one.
  void wait_for_subscribers(std::string_view topic, std::size_t count,
                            std::chrono::milliseconds timeout);
  /// How many take the topic now, counted likewise. Never waits; as long as it takes to lock.
  std::size_t subscribers(std::string_view topic) const;

  /// Returns when all that was published is handed to ZeroMQ. Throws Error (timeout) that says how
  /// much is not, and Error (usage) where a stop left some of it behind.
  void flush(std::chrono::milliseconds timeout);

  /// Flushes, and stays until what was sent is read for at most `linger`, both within `deadline`;
  /// then leaves. `abandoned` counts what was not handed to ZeroMQ. Every other call that waits
  /// returns, and what is published later throws.
  StopReport stop(std::chrono::milliseconds deadline);

  /// Where it is bound, with the ports that the system chose.
  const std::vector<Endpoint>& bound() const noexcept;
  /// Which one it is, drawn at random at each start: Message::publisher at the other end.
  std::uint64_t id() const noexcept;
  PublisherLedger ledger() const;

 private:
  std::unique_ptr<detail::PublisherLoop> loop_;
};

}  // namespace busbar

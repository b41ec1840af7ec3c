/// Gives work to whoever has room for it, and again to another one when a worker dies with it.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <busbar/core/codec.hpp>
#include <busbar/core/runner.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/patterns/message.hpp>
#include <busbar/patterns/wire.hpp>

namespace busbar {

struct PusherOptions {
  std::string name = "pusher";
  std::vector<Endpoint> bind = {};
  std::vector<Endpoint> connect = {};
  Security security = {};  ///< Keys, and who may connect; off loopback see Security.
  /// Keep each message until a puller says that it is done. Without, it is gone when it was sent:
  /// at most once, but still to the least loaded.
  bool acknowledge = true;
  /// How often a message is given to a worker at most, before it is given up (`on_give_up`); 0:
  /// again and again. What a worker fails at, or dies with, has been tried once more.
  std::uint32_t attempts_max = 10;
  /// What a worker failed at is given again after so long, and after twice as long each time, up to
  /// a minute, so that ten attempts take about 50 s. 0: at once. What a worker died with goes to
  /// another one at once, and rests if that one dies as well.
  std::chrono::milliseconds retry_after{100};
  /// Bounds on what is held: waiting, and sent but not acknowledged. At least one message fits.
  std::size_t queue_messages = 100'000;
  std::size_t queue_bytes = 64u << 20;
  /// What waits for one worker goes as one ZeroMQ message up to this size, at most
  /// limits::message_bytes. No `Batching`, as credit
  /// is what bounds a batch otherwise, and nothing ever waits for one to fill. 0: each message by
  /// itself.
  std::size_t batch_bytes = 64u << 10;
  /// How often it shows pullers that it lives; silent for three of them, it is dead to them.
  std::chrono::milliseconds heartbeat{1000};
  /// plain: stock PULL programs get the payloads, round-robin. No acknowledgement, so
  /// `acknowledge`, `attempts_max`, `retry_after`, `batch_bytes` and `heartbeat` have no effect,
  /// and no user headers: `push` throws Error (usage) where there are some.
  Wire wire = Wire::busbar;
};

struct PushOptions {
  Headers headers = {};
  std::chrono::milliseconds timeout{0};  ///< How long to wait for room.
};

/// pushed = done + given_up + lost + waiting + out, at any time.
struct PusherLedger {
  std::uint64_t pushed = 0;
  /// Acknowledged; without acknowledgement taken by a puller; plain: sent.
  std::uint64_t done = 0;
  std::uint64_t given_up = 0;     ///< After attempts_max.
  std::uint64_t lost = 0;         ///< Sent to a worker that died, without acknowledgement.
  std::uint64_t waiting = 0;      ///< For a worker with room.
  std::uint64_t out = 0;          ///< With workers.
  std::uint64_t redelivered = 0;  ///< Sent once more.
  std::uint64_t stale = 0;        ///< Answers for what had been given to another worker meanwhile.
  std::uint64_t refused = 0;      ///< Pushes that were turned down: `full`, `no_peer`, `too_large`.
  std::uint64_t malformed = 0;    ///< Frames that broke the protocol.
  std::uint64_t bytes = 0;        ///< Of what is held.
  std::size_t workers = 0;
  /// Why a connection of ours was refused, or has no address or permission, until one succeeds.
  std::string handshake_failure = {};
  std::string unresolved = {};

  bool reconciles() const noexcept { return pushed == done + given_up + lost + waiting + out; }
};

namespace detail {
class PushLoop;
}

/// Every call may be made from any thread. Its own thread sends and receives, from the constructor
/// on. In the order pushed, but for what is redelivered. Messages live in memory: with the pusher
/// they are gone. The destructor abandons what is not done, within 100 ms; `flush` or `stop` first.
class Pusher {
 public:
  /// Binds and connects. Throws Error; see Socket.
  Pusher(Context& context, PusherOptions options);

  /// sent: it is held until it is done. full: no room within the timeout. no_peer: the same, and no
  /// worker is there. too_large: above limits::message_bytes, or headers above
  /// limits::header_bytes. Throws Error (usage) after a stop, and for headers with wire = plain.
  [[nodiscard]] SendResult push(std::string_view payload, const PushOptions& options = {});
  /// Any type that msgpack can take.
  template <class T>
  requires(!std::convertible_to<const T&, std::string_view>) [[nodiscard]] SendResult
      push(const T& value, const PushOptions& options = {}) {
    return push(std::string_view{pack(value)}, options);
  }

  /// Takes what reached attempts_max, with its last failure in the header `busbar-failure`; called
  /// in the pusher's thread, which does nothing else meanwhile. Without one it is logged, and
  /// `flush` says so.
  void on_give_up(std::function<void(Message&&)> handler);
  /// Returns when all that was pushed is done or given up. Throws Error (timeout) that says how
  /// many are not; the pusher goes on with them. Throws Error (refused) where some were given up
  /// since the last flush, and no `on_give_up` took them, and Error (usage) where a stop left some.
  void flush(std::chrono::milliseconds timeout);
  /// Flushes for at most `deadline`, then leaves; `abandoned` counts what is not done.
  StopReport stop(std::chrono::milliseconds deadline);

  /// Returns once `count` workers are there at least. Throws Error (timeout) that says how many
  /// there were, and Error (usage) after a stop. With wire = plain nobody is seen.
  void wait_for_workers(std::size_t count, std::chrono::milliseconds timeout);
  PusherLedger ledger() const;
  /// Where it is bound, with the ports that the system chose.
  const std::vector<Endpoint>& bound() const noexcept;

 private:
  std::shared_ptr<detail::PushLoop> loop_;
  Runner runner_;
};

}  // namespace busbar

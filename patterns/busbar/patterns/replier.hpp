/// Answers requests, on as many threads as it is given.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <busbar/core/context.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/patterns/handler.hpp>
#include <busbar/patterns/request.hpp>
#include <busbar/patterns/request_wire.hpp>

namespace busbar {

struct ReplierOptions {
  std::string name = "replier";
  /// Where requesters, or stock REQ and DEALER sockets, connect.
  std::vector<Endpoint> bind = {};
  /// Backends of queues.
  std::vector<Endpoint> connect = {};
  Security security = {};  ///< Keys, and who may ask; off loopback see Security.
  /// That call handlers in `serve`, and receive in between. With more than one a handler is called
  /// by several at a time. While all of them are in handlers nothing is read: what comes waits in
  /// the socket's queues, and what is late or cancelled by then is not begun.
  unsigned threads = 1;
  /// Requests held that are not begun, at least 1; what comes above it goes back as not begun. It
  /// bounds messages and not bytes: each may have limits::message_bytes.
  std::size_t waiting_max = 10'000;
  RequestWire wire = RequestWire::busbar;
};

/// received = replied + failed + refused + expired + unavailable + cancelled + duplicates +
/// malformed + waiting + running, at any time.
struct ReplierLedger : protocol::ReplierCounts {
  std::uint64_t undeliverable = 0;  ///< Answers whose requester is gone, or does not read.
  std::uint64_t connections = 0;    ///< To queues that we connect to; how often one came to be.
  /// Why a connection of ours was refused, or has no address or permission, until one succeeds.
  std::string handshake_failure = {};
  std::string unresolved = {};

  bool reconciles() const noexcept {
    return received == replied + failed + refused + expired + unavailable + cancelled + duplicates +
                           malformed + waiting + running;
  }
};

/// A request that may not be done twice is begun once at most; none is begun after its deadline or
/// when it was cancelled before. The time that a request lay in queues counts, by the clocks of
/// both machines: where these differ, what comes from a requester first takes a round trip more.
/// Calls may be made from any thread.
class Replier {
 public:
  /// Binds and connects. Throws Error; see Socket. usage: no endpoint; threads is 0; the Freelance
  /// wire without one endpoint to bind, or with a wildcard in it.
  Replier(Context& context, ReplierOptions options);
  Replier(Replier&&) noexcept = default;
  Replier& operator=(Replier&&) = delete;
  /// Stops at once. `serve` returns when the handlers do that are being called.
  ~Replier();

  /// What is called for a method, by the signature of the callable:
  /// - `Result (const T&)` or `Result (const T&, const Request&)`: T unpacked from msgpack, or
  ///   std::string or std::string_view for the bytes as they are; Result packed likewise, or void;
  /// - `Result ()` or `Result (const Request&)`: the payload is not looked at;
  /// - `void (Request)`: answers it itself, now or later, here or in another thread; `void
  ///   (Request&)`: the same, but it may move the request out, or leave it abandoned.
  /// `noexcept` or not; what it holds may be such as can be moved only. What it throws arrives as a
  /// RequestError at the requester, with the kind of an Error. The empty method takes what stock
  /// requesters send as one frame; of two or more the first is the method. Before `serve`; the last
  /// one for a method holds.
  template <class F>
  void on(std::string method, F callable) {
    set_handler(std::move(method), detail::handler_of(std::move(callable)));
  }

  /// The same, for every method that has no handler of its own; of stock requesters that send two
  /// frames or more only where the empty method has none.
  template <class F>
  void otherwise(F callable) {
    set_otherwise(detail::handler_of(std::move(callable)));
  }

  /// Serves until `stop`, also the context's, in the calling thread and in threads - 1 others;
  /// after a stop it returns at once. Throws Error: usage where it is served already; refused where
  /// the system starts no more threads, and then none is left.
  void serve();
  /// For another event loop, in place of `serve`: readable (poll(2), level-triggered) when `drain`
  /// has something to do, and from the end on. Good as long as the Replier.
  int fd();
  /// Receives, and calls the handlers of what is there in this thread, of at most `most` requests;
  /// it never waits, but for the last answers to leave once `stop` was called. Answers how many it
  /// called. One thread at a time; throws Error (usage) where another one does, or serves.
  std::size_t drain(std::size_t most = 1000);
  /// Begins no more, lets handlers end for at most `deadline`, and makes `serve` return. What
  /// waited goes back as not begun; `abandoned` counts what still runs. A handler may call it: its
  /// own request does not count, and can still be answered until it returns.
  StopReport stop(std::chrono::milliseconds deadline);

  ReplierLedger ledger() const;
  /// Where it is bound, with the ports that the system chose.
  const std::vector<Endpoint>& bound() const noexcept;

 private:
  void set_handler(std::string method, detail::Handler handler);
  void set_otherwise(detail::Handler handler);

  std::shared_ptr<detail::ReplyLoop> loop_;
};

}  // namespace busbar

/// Asks one of several servers, with a deadline, and many at a time.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <busbar/core/codec.hpp>
#include <busbar/core/runner.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/patterns/reply.hpp>
#include <busbar/patterns/request_wire.hpp>

namespace busbar {

struct RequesterOptions {
  std::string name = "requester";
  /// Servers: repliers, stock REP and ROUTER sockets, and queues with any of these behind them; 1
  /// to 64, and one that is given twice is one. What is not there yet is waited for, and connected
  /// to when it comes. Of inproc nobody tells whether it is bound: such a server is taken to be
  /// there, and where it is not, what is asked expires and is never `no_peer`.
  std::vector<Endpoint> connect = {};
  Security security = {};  ///< Our keys, and the public key of all servers.
  Choice choice = Choice::least_loaded;
  /// Of requests that name none; above 0. More than a day counts as a day.
  std::chrono::milliseconds deadline{10'000};
  /// Idempotent requests: how long one server is waited for before another one is asked as well; 1
  /// ms at least. Where all have it, one behind a queue is asked once more after pauses that
  /// double, up to 16 of these; one that is directly connected is not, as nothing is lost on the
  /// way to it. Raise it for slow handlers.
  std::chrono::milliseconds attempt_timeout{1000};
  /// Idempotent requests: this share of all, 0 to 1 (0.05: five in a hundred), may go to a second
  /// server when the first has not answered in the time in which 95 of 100 replies came lately. The
  /// first reply counts, the other server is told to stop.
  double hedge = 0;
  /// Bound on what is unanswered, at least 1; above it a request is refused at once. It bounds
  /// requests and not bytes, and not the callbacks that are due and not called yet. As many, or
  /// 1,000, are sent at most to a server that says nothing; then one a second, and the others wait.
  std::size_t in_flight_max = 100'000;
  /// Requests that go in one ZeroMQ message at most, 1 to 1000. Above 1, what is asked while
  /// another request is under way gathers until somebody waits for a reply, a reply comes, or for 5
  /// ms: a flood takes less time, a lone request is not held up. The replies to one message
  /// come back in one, or in several where the handlers take long: none is held for more than 4 ms.
  /// One message goes to one replier, behind a queue to one of its workers, and all of them have to
  /// be Busbar's: a stock REP that is among others would lose what comes so. Of several servers
  /// each gets its own. Not with RequestWire::freelance.
  std::uint32_t batch_messages = 1;
  RequestWire wire = RequestWire::busbar;
};

struct RequestOptions {
  /// For the reply to come; it travels along as the time that is left. Absent: the requester's;
  /// more than a day counts as a day. 0 or less, as `Request::left` says of what has no time any
  /// more: it has expired at once.
  std::optional<std::chrono::milliseconds> deadline = {};
  /// It may be done twice: then it is asked again where a connection is lost or a server is slow,
  /// and waits for a server until its deadline. Without, it is sent once, and no server being there
  /// is told at once.
  bool idempotent = false;
};

/// requested = replied + failed + refused + expired + no_peer + lost + cancelled + in_flight, at
/// any time; see Outcome.
struct RequesterLedger {
  std::uint64_t requested = 0;
  std::uint64_t replied = 0;
  std::uint64_t failed = 0;
  std::uint64_t refused = 0;
  std::uint64_t expired = 0;
  std::uint64_t no_peer = 0;
  std::uint64_t lost = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t sent = 0;       ///< To servers, each attempt counted.
  std::uint64_t retried = 0;    ///< Sent once more.
  std::uint64_t hedged = 0;     ///< Sent a second time ahead of time.
  std::uint64_t cancels = 0;    ///< Servers told that nobody waits any more.
  std::uint64_t late = 0;       ///< Replies dropped, as nobody waited for them any more.
  std::uint64_t malformed = 0;  ///< Messages dropped that were no replies.
  std::size_t servers = 0;      ///< Connected.
  /// Why a server refused the connection, or has no address or permission, until one is connected.
  std::string handshake_failure = {};
  std::string unresolved = {};

  bool reconciles() const noexcept {
    return requested ==
           replied + failed + refused + expired + no_peer + lost + cancelled + in_flight;
  }
};

namespace detail {
class RequestLoop;

/// For a std::function, which holds only what can be copied.
template <class F>
auto copyable(F callable) {
  if constexpr (std::copy_constructible<F>) {
    return callable;
  } else {
    return [shared = std::make_shared<F>(std::move(callable))](Reply&& reply) {
      (*shared)(std::move(reply));
    };
  }
}
}  // namespace detail

/// A request that is under way. Move-only, for one thread at a time; may outlive its requester,
/// which then has cancelled it. Destroyed before it is finished it is cancelled.
class [[nodiscard]] PendingReply {
 public:
  PendingReply(std::shared_ptr<detail::RequestLoop> loop, std::uint64_t number)
      : loop_(std::move(loop)), number_(number) {}
  PendingReply(PendingReply&& other) noexcept = default;
  PendingReply& operator=(PendingReply&& other) noexcept;
  ~PendingReply();

  /// Waits until it is finished, which is at its deadline at the latest, or when the requester or
  /// its context is stopped (`cancelled`). Once: then, and where it
  /// was moved away, it throws Error (usage).
  Reply get();
  /// The same, and takes the payload out; throws RequestError unless it was replied to.
  template <class T>
  T get() {
    static_assert(!std::same_as<T, std::string_view>,
                  "the reply ends here: take a std::string, or keep the Reply that get() gives");
    return get().template as<T>();
  }
  /// Whether it is finished; waits for at most `timeout`.
  bool wait(std::chrono::milliseconds timeout);
  bool ready() { return wait(std::chrono::milliseconds{0}); }
  /// A server that has it is told where it can be: directly connected and not through a queue,
  /// whose choice of a worker is unknown; there the deadline ends the work. It is then finished as
  /// cancelled unless it was so already.
  void cancel();

 private:
  std::shared_ptr<detail::RequestLoop> loop_;
  std::uint64_t number_;
};

/// What one server said to a question that was put to all.
struct SurveyAnswer {
  Endpoint server;
  Reply reply;
};

/// Every call may be made from any thread. Requests are sent in the thread of their caller, and
/// replies received in one that waits for one; a thread of its own looks after the rest.
class Requester {
 public:
  using Callback = std::function<void(Reply&&)>;

  /// Connects in the background. Throws Error; see Socket. usage: no server, or more than 64; an
  /// option out of its bounds.
  Requester(Context& context, RequesterOptions options);
  Requester(Requester&&) noexcept;
  /// Ends what this one was, as its destructor does.
  Requester& operator=(Requester&& other) noexcept;
  /// Cancels what is under way, and returns when a callback does that is being called: what it uses
  /// may go then. (Where that callback is the caller it returns at once.)
  ~Requester();

  /// Never blocks. `method` names what is to be done, at most 240 bytes; a stock REP gets the
  /// payload alone, of limits::message_bytes (64 MiB) at most. A bad argument and a full requester
  /// are a reply as well (refused). Throws Error (usage) after a stop, the context's included.
  PendingReply request(std::string_view method, std::string_view payload,
                       const RequestOptions& options = {});
  /// Any type that msgpack can take.
  template <class T>
  requires(!std::convertible_to<const T&, std::string_view>) PendingReply
      request(std::string_view method, const T& value, const RequestOptions& options = {}) {
    return request(method, std::string_view{pack(value)}, options);
  }
  /// The same; `callback` is called once, in the requester's own thread, which does nothing else
  /// meanwhile (but see `fd`). What it throws is logged, and what it holds may be such as can be
  /// moved only.
  template <class F>
  requires std::invocable<F&, Reply&&>
  void request(std::string_view method, std::string_view payload, const RequestOptions& options,
               F callback) {
    call_back(method, payload, options, detail::copyable(std::move(callback)));
  }
  template <class T, class F>
  requires(!std::convertible_to<const T&, std::string_view> &&
           std::invocable<F&, Reply&&>) void request(std::string_view method, const T& value,
                                                     const RequestOptions& options, F callback) {
    request(method, std::string_view{pack(value)}, options, std::move(callback));
  }
  template <class F>
  requires std::invocable<F&, Reply&&>
  void request(std::string_view method, std::string_view payload, F callback) {
    request(method, payload, RequestOptions{}, std::move(callback));
  }
  template <class T, class F>
  requires(!std::convertible_to<const T&, std::string_view> &&
           std::invocable<F&, Reply&&>) void request(std::string_view method, const T& value,
                                                     F callback) {
    request(method, std::string_view{pack(value)}, RequestOptions{}, std::move(callback));
  }

  /// Puts one question to every server that is connected, and waits until all have answered, or
  /// `deadline` (absent: the requester's) is over: what comes later is dropped and counted as late.
  /// In the order of RequesterOptions::connect; each is asked once, and an answer may be a failure.
  /// Behind a queue one of its workers answers. `wait_for_servers` first, for servers that are
  /// still on their way. Throws Error as `request` does.
  std::vector<SurveyAnswer> survey(std::string_view method, std::string_view payload,
                                   std::optional<std::chrono::milliseconds> deadline = {});
  template <class T>
  requires(!std::convertible_to<const T&, std::string_view>) std::vector<SurveyAnswer> survey(
      std::string_view method, const T& value,
      std::optional<std::chrono::milliseconds> deadline = {}) {
    return survey(method, std::string_view{pack(value)}, deadline);
  }

  /// For another event loop: readable (poll(2), level-triggered) while callbacks are due. From its
  /// first call on nobody but `drain` calls them; those that are due at the end are let go of. Good
  /// as long as the Requester.
  int fd();
  /// Calls those that are due in this thread, at most `most`, and never waits. Answers how many.
  /// What they throw is logged, as without it: a callback belongs to its request, not to this call.
  std::size_t drain(std::size_t most = 1000);

  /// Returns once `count` servers are connected at least. Throws Error (timeout) that says how many
  /// were, and Error (usage) after a stop.
  void wait_for_servers(std::size_t count, std::chrono::milliseconds timeout);
  RequesterLedger ledger() const;
  /// Takes no more, waits for what is under way for at most `deadline`, and cancels the rest;
  /// `abandoned` counts it. A callback may call it: the others are called meanwhile.
  StopReport stop(std::chrono::milliseconds deadline);

 private:
  void call_back(std::string_view method, std::string_view payload, const RequestOptions& options,
                 Callback callback);
  void end() noexcept;

  std::shared_ptr<detail::RequestLoop> loop_;
  Runner runner_;
};

}  // namespace busbar

/// Serves a name at a broker: `busbar services`, or any Majordomo broker.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <busbar/core/codec.hpp>
#include <busbar/core/runner.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/patterns/handler.hpp>
#include <busbar/patterns/service_client.hpp>

namespace busbar {

struct ServiceWorkerOptions {
  std::string service = {};            ///< 1 to 255 bytes; not `mmi.…`, which is the broker's.
  std::vector<Endpoint> connect = {};  ///< Brokers, each once; it registers with all of them.
  Security security = {};              ///< Our keys, and the public key of all brokers.
  MajordomoVersion version = MajordomoVersion::v02;
  /// Requests at a time from each broker, 1 to 1000: so often it registers, each with a thread of
  /// its own.
  unsigned threads = 1;
  std::chrono::milliseconds heartbeat{
      1000};  ///< A broker is shown so often that it lives; above 0.
  /// A broker that was silent for longer is dead: it is connected to anew. The guide's brokers
  /// speak every 2.5 s. Above `heartbeat`.
  std::chrono::milliseconds expiry{10000};
};

/// received = replied + failed + late + running.
struct ServiceWorkerLedger {
  std::uint64_t received = 0;
  std::uint64_t replied = 0;
  std::uint64_t failed = 0;         ///< The handler threw, or said too much: nobody is answered.
  std::uint64_t late = 0;           ///< Done when the connection that it came by was gone.
  std::uint64_t running = 0;        ///< In the handler, or waiting for it.
  std::uint64_t malformed = 0;      ///< Frames that broke the protocol.
  std::uint64_t registrations = 0;  ///< Tried, with those after a broker's death.
  std::uint64_t connections = 0;    ///< To brokers; how often one came to be. Of inproc unknown.
  /// Why a broker refused a connection, or has no address or permission, until one is connected.
  std::string handshake_failure = {};
  std::string unresolved = {};

  bool reconciles() const noexcept { return received == replied + failed + late + running; }
};

namespace detail {
class ServiceLoop;
}

/// What a handler is given. Views live as long as it does.
class ServiceRequest {
 public:
  ServiceRequest(Multipart frames, std::function<void(Multipart)> part)
      : frames_(std::move(frames)), part_(std::move(part)) {}

  /// The first frame.
  std::string_view payload() const noexcept {
    return frames_.empty() ? std::string_view{} : frames_.text(0);
  }
  /// Unpacked from msgpack; throws Error (refused) as `unpack` does.
  template <class T>
  T as() const {
    return value_of<T>(payload());
  }
  const Multipart& frames() const noexcept { return frames_; }
  /// Answers with this now, and with more to come. In the handler's thread; blocks while the broker
  /// does not read and 1,000 parts wait for that. 64 MiB at most; with 0.1 all parts go with the
  /// last, 58 and 64 MiB together at most: beyond that the request has failed.
  void part(std::string_view bytes) {
    Multipart frames;
    frames.push_back(bytes);
    part_(std::move(frames));
  }

 private:
  Multipart frames_;
  std::function<void(Multipart)> part_;
};

/// Answers requests in threads of its own from the constructor on; one more sends, receives and
/// shows that it lives, however long a handler takes. With the broker gone, or when it says
/// DISCONNECT, it registers anew over a new socket. Every call may be made from any thread.
class ServiceWorker {
 public:
  /// `handler` takes nothing, a ServiceRequest&, or the payload as a std::string, std::string_view
  /// or a type that msgpack can take, with a ServiceRequest& behind it where it likes; it answers
  /// nothing, text as it is, or such a type, packed:
  /// `[](const Account& account) { return balance_of(account); }`. What it holds may be such as can
  /// be moved only. It is called by `threads` threads at the same time for each broker. What it
  /// throws, and a payload that is not what it takes, is logged and answers nobody, as Majordomo
  /// has no word for that. Throws Error: usage for a bad name, no or a repeated broker, threads,
  /// heartbeat or expiry out of bounds; and as Socket does.
  template <class Handler>
  ServiceWorker(Context& context, ServiceWorkerOptions options, Handler handler)
      : ServiceWorker(context, std::move(options), wrapped(std::move(handler)), 0) {}
  ServiceWorker(ServiceWorker&&) noexcept = default;
  ServiceWorker& operator=(ServiceWorker&&) = delete;
  /// Stops at once, and returns when the handlers do that are being called: what they use may go
  /// then. Their answers go nowhere. Not from a handler.
  ~ServiceWorker();

  /// Blocks until it is stopped, or the context is.
  void serve();
  /// Says goodbye and takes no more; all that it has, in a handler or waiting for one, is answered
  /// within `deadline`. What is not by then is counted in `abandoned`: in a handler it goes on, and
  /// answers nobody. Blocks until all is answered and said (up to 50 ms longer where a broker gives
  /// several at a time), at the latest 100 ms after `deadline`. Any thread; a handler waits for
  /// itself there, for the whole `deadline`.
  StopReport stop(std::chrono::milliseconds deadline);
  ServiceWorkerLedger ledger() const;

 private:
  using Wrapped = std::function<Multipart(ServiceRequest&)>;
  ServiceWorker(Context& context, ServiceWorkerOptions options, Wrapped handler, int);

  template <class F>
  static Wrapped wrapped(F callable) {
    if constexpr (detail::is_handler<F, ServiceRequest>()) {
      return [shared = std::make_shared<F>(std::move(callable))](ServiceRequest& request) {
        Multipart answer;
        detail::call_with(*shared, request,
                          [&](std::string_view bytes) { answer.push_back(bytes); });
        return answer;
      };
    }
  }

  std::shared_ptr<detail::ServiceLoop> loop_;
  std::vector<Runner> handlers_;
  Runner runner_;  ///< Ends first: the handlers end with it.
};

}  // namespace busbar

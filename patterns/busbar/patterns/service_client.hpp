/// Asks services by their names, through a broker: `busbar services`, or any Majordomo broker.
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
#include <vector>

#include <busbar/core/codec.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/patterns/reply.hpp>
#include <busbar/protocol/majordomo.hpp>

namespace busbar {

/// v02: ZeroMQ RFC 18, answers may come in parts. v01: RFC 7.
using MajordomoVersion = protocol::majordomo::Version;

struct ServiceClientOptions {
  std::string name = "service-client";
  /// Brokers. One at a time: the next where this one is not there, or gives no answer to what may
  /// be sent again. At least one; what is given twice is one.
  std::vector<Endpoint> connect = {};
  Security security = {};  ///< Our keys, and the public key of all brokers.
  MajordomoVersion version = MajordomoVersion::v02;
};

struct CallOptions {
  /// It does no harm to do it twice: it is sent again, over a new connection, when that is lost, or
  /// when `attempt_timeout` has passed without an answer.
  bool idempotent = false;
  /// 0: a third of the timeout. Also how long one of several brokers may take to connect.
  std::chrono::milliseconds attempt_timeout{0};
  /// Takes each part as it comes (0.2), before the call returns; what it throws comes out of the
  /// call. Not with idempotent calls, whose parts could come twice: there they stand in `frames`.
  /// Their number has no bound but the call's timeout, which none of them prolongs; without a
  /// callback all are kept in memory. While it is called they wait in queues here and at the broker
  /// (1,000 and SideOptions::queue); a part beyond those breaks the answer off, and the call
  /// expires.
  std::function<void(std::string_view part)> on_part = {};
};

/// called = replied + expired + no_peer + lost + failed; see Outcome.
struct ServiceClientLedger {
  std::uint64_t called = 0;
  std::uint64_t replied = 0;
  std::uint64_t expired = 0;    ///< Sent, and no answer in time.
  std::uint64_t no_peer = 0;    ///< Never sent: no broker was there in time.
  std::uint64_t lost = 0;       ///< The connection went while it was out.
  std::uint64_t failed = 0;     ///< `on_part` threw, or the context was stopped.
  std::uint64_t sent = 0;       ///< To brokers, each attempt counted.
  std::uint64_t retried = 0;    ///< Sent once more.
  std::uint64_t malformed = 0;  ///< Messages dropped that were no answer to what was asked.
  bool connected = false;       ///< To a broker, as the last call left it.
  /// Why a broker refused the connection, or has no address or permission, until one is connected.
  std::string handshake_failure = {};
  std::string unresolved = {};

  bool reconciles() const noexcept { return called == replied + expired + no_peer + lost + failed; }
};

/// What a call brought. Views live as long as it does.
class ServiceReply {
 public:
  /// Not answered.
  explicit ServiceReply(RequestError why) : why_(std::move(why)) {}
  /// `final`: where the final answer begins.
  ServiceReply(Multipart frames, std::size_t final) : frames_(std::move(frames)), final_(final) {}

  /// replied, expired, no_peer or lost.
  Outcome outcome() const noexcept { return why_ ? why_->outcome() : Outcome::replied; }
  /// False: no answer came in time, or none can come. Whether it was worked on see `outcome`.
  bool ok() const noexcept { return !why_; }
  /// Throws RequestError unless it was answered.
  void check() const {
    if (why_) throw RequestError{*why_};
  }
  /// The final answer's first frame; what came before it in parts went to `on_part`, or stands in
  /// `frames`. Version 0.1 knows no parts: there it is the first of all. Throws as `check`.
  std::string_view payload() const;
  /// Unpacked from msgpack; throws as `check`, and Error (refused) as `unpack` does.
  template <class T>
  T as() const {
    return value_of<T>(payload());
  }
  /// All of them: the parts' first, unless a callback took those, then the final answer's.
  const Multipart& frames() const noexcept { return frames_; }

 private:
  std::optional<RequestError> why_;
  Multipart frames_;
  std::size_t final_ = 0;
};

namespace detail {
class ServiceLink;
}

/// For one thread at a time. One request at a time: Majordomo has no number by which an answer
/// could be told from another one's.
class ServiceClient {
 public:
  /// Connects in the background. Throws Error; see Socket.
  ServiceClient(Context& context, const Endpoint& broker);
  ServiceClient(Context& context, ServiceClientOptions options);
  ServiceClient(ServiceClient&&) noexcept;
  ServiceClient& operator=(ServiceClient&&) noexcept;
  ~ServiceClient();

  /// Blocks for at most `timeout`, and for `on_part`; with 0 or less nothing is sent, and the
  /// outcome is no_peer. It is sent to a broker that is there: where one refuses the
  /// connection the next one is tried at once, as nothing was sent. Throws Error (usage) for a name
  /// that is empty or longer than 255 bytes, a payload above limits::message_bytes, or as Socket
  /// does.
  ServiceReply call(std::string_view service, std::string_view payload,
                    std::chrono::milliseconds timeout, const CallOptions& options = {});
  /// Any type that msgpack can take.
  template <class T>
  requires(!std::convertible_to<const T&, std::string_view>) ServiceReply
      call(std::string_view service, const T& value, std::chrono::milliseconds timeout,
           const CallOptions& options = {}) {
    return call(service, std::string_view{pack(value)}, timeout, options);
  }

  /// Whether a worker for it is registered, and not about to leave (ZeroMQ RFC 8); empty: the
  /// broker did not say in time. Blocks for at most `timeout`. It is a call, which may be sent
  /// again: it throws as `call` does, and counts in the ledger as one.
  std::optional<bool> is_served(std::string_view service, std::chrono::milliseconds timeout);

  /// In the thread that calls.
  ServiceClientLedger ledger() const;

 private:
  ServiceReply converse(std::string_view service, std::string_view payload,
                        std::chrono::milliseconds timeout, const CallOptions& options);
  void ask(std::string_view service, std::string_view payload);
  /// Into `body` or to `on_part`. True: it was the final answer.
  bool take(std::string_view service, Multipart& frames, const CallOptions& options,
            Multipart& body);

  Context context_;
  MajordomoVersion version_;
  std::unique_ptr<detail::ServiceLink> link_;
  ServiceClientLedger ledger_;
};

}  // namespace busbar

/// Asks services by their names, through a broker: `busbar services`, or any Majordomo broker.
#pragma once

#include <chrono>
#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <busbar/core/codec.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/protocol/majordomo.hpp>

namespace busbar {

/// v02: ZeroMQ RFC 18, answers may come in parts. v01: RFC 7.
using MajordomoVersion = protocol::majordomo::Version;

struct ServiceClientOptions {
  std::string name = "service-client";
  std::vector<Endpoint> connect = {};  ///< Brokers; of several, the next one for each new try.
  Security security = {};
  MajordomoVersion version = MajordomoVersion::v02;
};

/// What a call brought. Views live as long as it does.
class ServiceReply {
 public:
  explicit ServiceReply(std::string service) : service_(std::move(service)) {}
  ServiceReply(std::string service, Multipart frames)
      : service_(std::move(service)), answered_(true), frames_(std::move(frames)) {}

  /// False: no answer came in time. The request may have been worked on all the same.
  bool answered() const noexcept { return answered_; }
  explicit operator bool() const noexcept { return answered_; }
  /// The first frame. Throws Error (timeout) where there was no answer, as `as` does.
  std::string_view payload() const;
  /// Unpacked from msgpack; throws Error (refused) as `unpack` does.
  template <class T>
  T as() const {
    return value_of<T>(payload());
  }
  /// All of them: the parts' first, unless a callback took those.
  const Multipart& frames() const noexcept { return frames_; }

 private:
  std::string service_;
  bool answered_ = false;
  Multipart frames_;
};

/// For one thread at a time. One request at a time: Majordomo has no number by which an
/// answer could be told from another one's.
class ServiceClient {
 public:
  /// Connects in the background. Throws Error; see Socket.
  ServiceClient(Context& context, const Endpoint& broker);
  ServiceClient(Context& context, ServiceClientOptions options);

  struct With {
    /// It does no harm to do it twice: it is sent again, over a new connection, when `attempt` has
    /// passed without an answer.
    bool idempotent = false;
    std::chrono::milliseconds attempt{0};  ///< 0: a third of the timeout.
    /// Takes each part as it comes (0.2), before the call returns. Not with idempotent calls, whose
    /// parts could come twice: there they stand in `frames`.
    std::function<void(std::string_view part)> on_part = {};
  };
  /// Blocks for at most `timeout`. Throws Error (usage) for a name that is empty or longer than 255
  /// bytes, a payload above limits::message_bytes, or as Socket does.
  ServiceReply call(std::string_view service, std::string_view payload,
                    std::chrono::milliseconds timeout, const With& with);
  ServiceReply call(std::string_view service, std::string_view payload,
                    std::chrono::milliseconds timeout) {
    return call(service, payload, timeout, With{});
  }
  /// Any type that msgpack can take.
  template <class T>
  requires(!std::convertible_to<const T&, std::string_view>) ServiceReply
      call(std::string_view service, const T& value, std::chrono::milliseconds timeout,
           const With& with) {
    return call(service, std::string_view{pack(value)}, timeout, with);
  }
  template <class T>
  requires(!std::convertible_to<const T&, std::string_view>) ServiceReply
      call(std::string_view service, const T& value, std::chrono::milliseconds timeout) {
    return call(service, value, timeout, With{});
  }

  /// Whether a worker for it is registered (ZeroMQ RFC 8); empty: the broker did not say in time.
  std::optional<bool> is_served(std::string_view service, std::chrono::milliseconds timeout);

 private:
  void connect();
  ServiceReply converse(std::string_view service, std::string_view payload,
                        std::chrono::milliseconds timeout, const With& with);
  void ask(std::string_view service, std::string_view payload);

  Context context_;
  ServiceClientOptions options_;
  std::size_t next_broker_ = 0;
  std::optional<Socket> socket_;
};

}  // namespace busbar

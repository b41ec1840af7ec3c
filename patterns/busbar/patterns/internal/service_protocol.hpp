/// The worker's end of Majordomo, and how often a client asks: pure machines.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include <busbar/core/clock.hpp>
#include <busbar/core/multipart.hpp>
#include <busbar/protocol/majordomo.hpp>

namespace busbar::detail {

/// One registration with a broker: its loop gives it a new socket whenever it wants one.
class WorkerProtocol {
 public:
  struct Options {
    std::string service;
    protocol::majordomo::Dialect dialect;
    std::chrono::milliseconds heartbeat;
    std::chrono::milliseconds expiry;
  };
  struct Request {
    std::uint64_t number = 0;  ///< For the answer.
    Multipart body = {};
  };
  explicit WorkerProtocol(Options options) : options_(std::move(options)) {}

  /// Whether the old socket, if any, is to be closed and another one connected.
  bool wants_socket(TimePoint now) const noexcept { return !connected_ && now >= retry_at_; }
  /// A new socket is there; registers with it.
  void connected(TimePoint now);
  /// What the broker sent.
  std::optional<Request> on_message(Multipart& frames, TimePoint now);
  void on_time(TimePoint now);
  TimePoint next_deadline() const noexcept;
  /// False: the request went with its connection, and nobody waits for the answer.
  bool answer(std::uint64_t request, Multipart body, bool final);
  /// Nothing will be answered: registers anew, as the broker waits.
  void give_up(std::uint64_t request, TimePoint now);
  /// Says goodbye, once the request that is under way is answered; takes no more.
  void leave();

  /// The next message to send; false: none. Sent before the socket is replaced.
  bool next(Multipart& out);
  bool busy() const noexcept { return busy_; }
  std::uint64_t malformed() const noexcept { return malformed_; }

 private:
  void disconnect(TimePoint now);
  void put(protocol::majordomo::Command command);

  Options options_;
  bool connected_ = false;
  bool leaving_ = false;
  bool busy_ = false;
  std::uint64_t number_ = 0;
  std::string client_;
  Multipart parts_;  ///< What was said in parts, where the version has none.
  TimePoint heard_ = {};
  TimePoint beat_at_ = TimePoint::max();
  TimePoint retry_at_ = TimePoint::min();
  std::chrono::milliseconds backoff_{0};
  std::uint64_t malformed_ = 0;
  std::deque<Multipart> out_;
};

/// What is known of a client's connection to a broker.
enum class BrokerState : std::uint8_t {
  connecting,
  connected,
  unreachable,  ///< Refused, without an address, or the handshake failed.
  lost,         ///< It was connected.
};

/// When and where a call is sent, and sent again, and when it is given up: one call. It is sent
/// only to a broker that is connected, so what was not sent may go to another one.
class CallProtocol {
 public:
  struct Options {
    std::chrono::milliseconds timeout;
    /// How long a broker may take to connect where there are several, and to answer where it may be
    /// asked twice.
    std::chrono::milliseconds attempt;
    bool idempotent = false;
    std::size_t brokers = 1;
  };
  CallProtocol(TimePoint now, const Options& options, BrokerState broker);

  enum class Step {
    wait,     ///< Until the next deadline, or news.
    connect,  ///< A new connection, to the next broker.
    send,     ///< By the connection that there is.
    give_up,  ///< See `sent` and `lost`.
  };
  Step step(TimePoint now);
  void on_news(BrokerState broker, TimePoint now);
  TimePoint next_deadline() const noexcept { return std::min(next_at_, give_up_at_); }

  /// How often it was.
  unsigned sent() const noexcept { return sent_; }
  /// Its connection went, and it may not be sent again.
  bool lost() const noexcept { return lost_; }

 private:
  void missed(TimePoint now);
  TimePoint silence_ends(TimePoint now) const;

  Options options_;
  TimePoint give_up_at_;
  TimePoint next_at_;  ///< When to turn to the next broker.
  bool connected_;
  bool is_out_ = false;  ///< Sent by this connection.
  bool missed_ = false;  ///< This connection is of no use.
  bool lost_ = false;
  unsigned sent_ = 0;
  std::size_t misses_ = 0;
  std::chrono::milliseconds pause_;
};

}  // namespace busbar::detail

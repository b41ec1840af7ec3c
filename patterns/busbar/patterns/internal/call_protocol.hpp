/// When and where a client of services asks: a pure machine.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include <busbar/core/clock.hpp>

namespace busbar::detail {

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

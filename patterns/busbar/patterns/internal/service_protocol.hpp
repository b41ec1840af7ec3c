/// The worker's end of Majordomo, and how often a client asks: pure machines.
#pragma once

#include <chrono>
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
  std::uint64_t refused() const noexcept { return refused_; }

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
  std::uint64_t refused_ = 0;
  std::deque<Multipart> out_;
};

/// When a call is sent again, and when it is given up.
class CallProtocol {
 public:
  /// `attempt`: how long one try may take; the call is tried again only where that is shorter.
  CallProtocol(TimePoint now, std::chrono::milliseconds timeout, std::chrono::milliseconds attempt)
      : attempt_(attempt), give_up_at_(after(now, timeout)) {
    again(now);
  }
  enum class Step { wait, ask_again, give_up };
  Step on_time(TimePoint now) {
    if (now >= give_up_at_) return Step::give_up;
    if (now < again_at_) return Step::wait;
    again(now);
    return Step::ask_again;
  }
  TimePoint next_deadline() const noexcept { return std::min(again_at_, give_up_at_); }

 private:
  void again(TimePoint now) { again_at_ = after(now, attempt_); }

  std::chrono::milliseconds attempt_;
  TimePoint give_up_at_;
  TimePoint again_at_;
};

}  // namespace busbar::detail

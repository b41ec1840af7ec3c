/// The worker's end of Majordomo: a pure machine.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <busbar/core/clock.hpp>
#include <busbar/core/multipart.hpp>
#include <busbar/protocol/majordomo.hpp>

namespace busbar::detail {

/// One registration with a broker: its loop gives it a new socket whenever it wants one. It has as
/// many requests as the broker gives it, which are worked on one after the other.
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
  bool wants_socket(TimePoint now) const noexcept {
    return !connected_ && !leaving_ && now >= retry_at_;
  }
  /// A new socket is there; registers with it.
  void connected(TimePoint now);
  /// What the broker sent.
  std::optional<Request> on_message(Multipart& frames, TimePoint now);
  void on_time(TimePoint now);
  TimePoint next_deadline() const noexcept;
  enum class Answered {
    sent,
    late,       ///< The request went with its connection, and nobody waits for the answer.
    too_large,  ///< All of it together is more than a message has: it is given up.
  };
  Answered answer(std::uint64_t request, Multipart body, bool final, TimePoint now);
  /// It will not be answered. A broker that gives several at a time is told so; any other one waits
  /// for the answer, and so it registers anew, or says goodbye where it leaves.
  void give_up(std::uint64_t request, TimePoint now);
  /// Whether an answer is still waited for.
  bool holds(std::uint64_t request) const noexcept;
  /// Says goodbye, once what it has is answered, and takes no more. A broker that gives several at
  /// a time is told as soon as that shows; what it had sent by then is still taken and answered.
  void leave(TimePoint now);
  /// Nothing is left to be answered, or to come.
  bool may_go(TimePoint now) const noexcept { return given_.empty() && now >= stays_until_; }

  /// The next message to send; false: none. Sent before the socket is replaced.
  bool next(Multipart& out);
  /// There was no room for it: it is the next one again.
  void put_back(Multipart frames) {
    out_.push_front(std::move(frames));
    blocked_ = true;
  }
  bool is_blocked() const noexcept { return blocked_; }
  std::uint64_t malformed() const noexcept { return malformed_; }

 private:
  struct Given {
    std::uint64_t number = 0;
    std::string client = {};
    Multipart parts = {};  ///< What was said in parts, where the version has none.
    std::size_t bytes = 0;
    bool too_large = false;
  };
  /// Else the broker takes it for dead, and what it has for lost; also while it leaves.
  bool must_be_heard() const noexcept { return !leaving_ || !given_.empty(); }
  void disconnect(TimePoint now);
  void say_goodbye(TimePoint now);
  void put(protocol::majordomo::Command command);
  void put_answer(Given& given, Multipart& body, bool final);
  void end(std::vector<Given>::iterator given);
  std::vector<Given>::iterator find(std::uint64_t request) noexcept;

  Options options_;
  bool connected_ = false;
  bool leaving_ = false;
  bool has_several_ = false;  ///< The broker gives more than one at a time.
  TimePoint stays_until_ = TimePoint::min();
  std::uint64_t number_ = 0;
  std::vector<Given> given_;
  TimePoint heard_ = {};
  TimePoint beat_at_ = TimePoint::max();
  TimePoint retry_at_ = TimePoint::min();
  std::chrono::milliseconds backoff_{0};
  std::uint64_t malformed_ = 0;
  std::deque<Multipart> out_;
  bool blocked_ = false;
};

}  // namespace busbar::detail

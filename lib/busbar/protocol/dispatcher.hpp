/// The pusher's side of credit-based work: a pure machine.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include <busbar/core/clock.hpp>
#include <busbar/core/multipart.hpp>
#include <busbar/protocol/header.hpp>
#include <busbar/protocol/paged_table.hpp>
#include <busbar/protocol/work_codec.hpp>

namespace busbar::protocol {

/// Names the other end of a connection; only who owns the sockets knows what it means.
using Address = std::string;

struct Outgoing {
  Address to;
  Multipart frames;
};

/// One message from when it is pushed until it is done, given up, or lost.
struct Job {
  std::uint64_t number = 0;  ///< Set by Dispatcher::push.
  std::uint64_t time = 0;    ///< Microseconds since 1970, UTC.
  Frame payload = {};
  Headers headers = {};
  std::uint32_t attempts = 0;  ///< Ours.
  std::uint32_t earlier = 0;   ///< Attempts before it came to us.
  bool suspect = false;        ///< A worker died with it.
  std::uint64_t avoid = 0;     ///< The worker that had it last; 0: none.
  std::string failure = {};

  std::size_t bytes() const noexcept;
};

struct DispatcherOptions {
  std::uint64_t id = 0;  ///< The pusher's: drawn at random for each start; not 0.
  bool acknowledge = true;
  std::uint32_t attempts_max = 0;  ///< 0: no end of them.
  std::chrono::milliseconds heartbeat{1000};
  std::size_t batch_bytes = 64u << 10;  ///< 0: no batches.
  std::uint32_t batch_messages = 1000;
  bool tell_done = false;  ///< Collect the numbers for take_done.
};

/// pushed = done + given_up + lost + waiting + out.
struct DispatcherCounts {
  std::uint64_t pushed = 0;
  std::uint64_t done = 0;  ///< Answered for by a puller: done, or without acknowledgement, taken.
  std::uint64_t given_up = 0;
  std::uint64_t lost = 0;     ///< Out with a worker that died, without acknowledgement.
  std::uint64_t waiting = 0;  ///< With us.
  std::uint64_t out = 0;      ///< With workers, not answered for.
  std::uint64_t redelivered = 0;
  std::uint64_t stale = 0;    ///< Answers for what had been taken away from that worker.
  std::uint64_t refused = 0;  ///< Messages that are not of this protocol, or break it.
  std::size_t workers = 0;
};

/// Gives each message to the worker with the least out in proportion to its credit, and again to
/// another one, first of all, when a worker fails at it, leaves or dies. What was out with a worker
/// that died is suspect: no worker is given two such messages at a time, so that one which kills
/// its workers does not use up its neighbours' attempts.
class Dispatcher {
 public:
  explicit Dispatcher(const DispatcherOptions& options) : options_(options) {}

  /// An endpoint that we connect to has a connection, or none any more.
  void connected(const Address& address);
  void disconnected(const Address& address);
  /// What `next` gave for that address could not be sent; what is out there is given to others.
  void unreachable(const Address& address);
  /// Some peer, and we do not know which, has gone: find out at once.
  void probe();

  /// Answers its number.
  std::uint64_t push(Job job);
  void on_message(const Address& from, const Multipart& frames, TimePoint now);
  /// Due at next_deadline.
  void on_time(TimePoint now);
  TimePoint next_deadline() const noexcept { return deadline_; }
  /// The next message to send; false: none for now.
  bool next(Outgoing& out);
  /// Tells every worker that we leave; `next` then gives only that.
  void leave();

  /// What reached attempts_max since the last call.
  std::vector<Job> take_given_up() { return std::exchange(given_up_, {}); }
  /// The numbers of what was done since the last call, with DispatcherOptions::tell_done.
  std::vector<std::uint64_t> take_done() { return std::exchange(done_, {}); }
  /// What was never given to anybody, or was given back; nothing waits afterwards.
  std::vector<Job> take_waiting();
  /// Of all workers together.
  std::uint64_t credit() const noexcept;
  DispatcherCounts counts() const noexcept;
  /// Of all messages that are waiting, and of those out that may have to be sent again.
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  struct Worker {
    Address address;
    std::uint64_t id = 0;
    std::uint64_t session = 0;
    std::uint64_t registration = 0;
    std::uint32_t credit = 0;
    std::uint64_t handed = 0;    ///< Work messages sent.
    std::uint64_t answers = 0;   ///< Answers received.
    std::uint64_t out = 0;       ///< Messages not answered for.
    std::uint64_t suspects = 0;  ///< Those of them that are suspect.
    std::uint64_t turn = 0;
    std::chrono::milliseconds expiry{0};
    TimePoint heard{};
  };
  /// Load, turn: the least comes first, and among equals who has waited longest.
  using Place = std::tuple<std::uint64_t, std::uint64_t, Worker*>;
  struct Entry {
    Job job;
    Worker* worker;
  };
  enum class Loss { death, leave, broken };

  void on(Worker* worker, const Address& from, const Ready& ready, TimePoint now);
  void on(Worker* worker, const Address& from, const Answer& answer, TimePoint now);
  void settle(Worker& worker, std::uint64_t delivery, const Answer& answer);
  void enroll(const Address& address, const Ready& ready, TimePoint now);
  void dismiss(Worker& worker, Loss how);
  void again(Job job, bool in_front);

  void greet(const Address& address);
  void leave_place(Worker& worker);
  void take_place(Worker& worker);
  Worker* worker_for(const Job& job);
  void hand_one(Worker& worker, Job job, Outgoing& out);
  void hand_batch(Worker& worker, std::uint64_t most, Outgoing& out);
  void begin_hand(Worker& worker, std::uint32_t attempt, std::uint32_t messages, Outgoing& out);
  void book_out(Worker& worker, Job job);
  void finished(const Job& job) { bytes_ -= job.bytes(); }

  DispatcherOptions options_;
  std::unordered_map<Address, Worker> workers_;
  std::set<Address> connected_;
  std::set<Place> places_;  ///< Of the workers that have credit left.
  std::deque<Address> greetings_;
  std::set<Address> greeted_;  ///< What is in greetings_.
  std::deque<Job> again_;
  std::deque<Job> fresh_;  ///< Their numbers follow each other.
  PagedTable<Entry> out_;
  std::vector<Job> given_up_;
  std::vector<std::uint64_t> done_;
  std::string batch_;
  DispatcherCounts counts_;
  std::size_t bytes_ = 0;
  std::uint64_t numbers_ = 0;
  std::uint64_t deliveries_ = 0;
  std::uint64_t registrations_ = 0;
  std::uint64_t turns_ = 0;
  TimePoint beat_ = TimePoint::min();
  TimePoint looked_ = TimePoint::min();
  TimePoint deadline_ = TimePoint::min();
  bool leaving_ = false;
};

}  // namespace busbar::protocol

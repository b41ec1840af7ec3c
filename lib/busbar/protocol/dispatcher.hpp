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
#include <busbar/protocol/backlog.hpp>
#include <busbar/protocol/job.hpp>
#include <busbar/protocol/work_codec.hpp>

namespace busbar::protocol {

/// Names the other end of a connection; only who owns the sockets knows what it means.
using Address = std::string;

struct Outgoing {
  Address to;
  Multipart frames;
};

struct DispatcherOptions {
  std::uint64_t id = 0;  ///< The pusher's: drawn at random for each start; not 0.
  bool acknowledge = true;
  std::uint32_t attempts_max = 0;  ///< 0: no end of them.
  /// What a worker failed at rests so long, then twice as long each time, up to a minute.
  std::chrono::milliseconds retry_after{0};
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
  std::uint64_t stale = 0;      ///< Answers for what had been taken away from that worker.
  std::uint64_t malformed = 0;  ///< Messages that are not of this protocol, or break it.
  std::size_t workers = 0;
};

/// Gives each message to the worker with the least out in proportion to its credit, and again to
/// another one, first of all, when a worker leaves or dies, or fails at it, after a rest. What was
/// out with a worker that died is suspect: no worker is given two such messages at a time, so that
/// one which kills its workers does not use up its neighbours' attempts; and what more than one
/// died with rests as well.
class Dispatcher {
 public:
  explicit Dispatcher(const DispatcherOptions& options);
  /// A message of fewer bytes may be packed with others. `batch_bytes`: see the options.
  static constexpr std::size_t packed_below(std::size_t batch_bytes) noexcept {
    return batch_bytes / batch_share;
  }

  /// An endpoint that we connect to has a connection, or none any more.
  void connected(const Address& address);
  void disconnected(const Address& address, TimePoint now);
  /// What `next` gave for that address could not be sent; what is out there is given to others.
  void unreachable(const Address& address, TimePoint now);
  /// Some peer, and we do not know which, has gone: find out at once.
  void probe();

  /// Answers its number.
  std::uint64_t push(Job job) { return backlog_.push(std::move(job)); }
  void push(Lot lot) { backlog_.push(std::move(lot)); }
  void on_message(const Address& from, const Multipart& frames, TimePoint now);
  /// Due at next_deadline.
  void on_time(TimePoint now);
  TimePoint next_deadline() const noexcept { return deadline_; }
  /// The next message to send; false: none for now.
  bool next(Outgoing& out);
  /// Tells every worker that we leave; `next` then gives only that.
  void leave();

  /// What reached attempts_max since the last call.
  std::vector<Job> take_given_up() { return backlog_.take_given_up(); }
  /// The numbers of what was done since the last call, with DispatcherOptions::tell_done.
  std::vector<std::uint64_t> take_done() { return backlog_.take_done(); }
  /// What was never given to anybody, or was given back; nothing waits afterwards.
  std::vector<Job> take_waiting() { return backlog_.take_waiting(); }
  /// Of all workers together.
  std::uint64_t credit() const noexcept;
  DispatcherCounts counts() const noexcept;
  /// Of all messages that are waiting, and of those out that may have to be sent again.
  std::size_t bytes() const noexcept { return backlog_.bytes(); }

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
  enum class Loss { death, leave, broken };

  void on(Worker* worker, const Address& from, const Ready& ready, TimePoint now);
  void on(Worker* worker, const Address& from, const Answer& answer, TimePoint now);
  void settle(Worker& worker, const Run& run, const Answer& answer, TimePoint now);
  void enroll(const Address& address, const Ready& ready, TimePoint now);
  void dismiss(Worker& worker, Loss how, TimePoint now);
  void again(Backlog::JobPtr job, std::uint32_t failures, bool in_front, TimePoint now);

  void greet(const Address& address);
  void leave_place(Worker& worker);
  void take_place(Worker& worker);
  Worker* worker_for(const Job& job);
  void next_greeting(Outgoing& out);
  void hand(Worker& worker, Outgoing& out);
  void add_single(Lot& lot, Multipart& frames) const;
  void add_batch(std::uint32_t messages, Multipart& frames) const;

  /// A payload of a batch is copied; a large one is better sent by itself.
  static constexpr std::size_t batch_share = 4;

  DispatcherOptions options_;
  std::unordered_map<Address, Worker> workers_;
  std::set<Address> connected_;
  std::set<Place> places_;  ///< Of the workers that have credit left.
  std::deque<Address> greetings_;
  std::set<Address> greeted_;  ///< What is in greetings_.
  Backlog backlog_;
  std::vector<Lot> lots_;    ///< What is being handed.
  DispatcherCounts counts_;  ///< But for what backlog_ counts.
  std::uint64_t registrations_ = 0;
  std::uint64_t turns_ = 0;
  TimePoint beat_ = TimePoint::min();
  TimePoint looked_ = TimePoint::min();
  TimePoint deadline_ = TimePoint::min();
  bool leaving_ = false;
};

}  // namespace busbar::protocol

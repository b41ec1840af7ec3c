/// What a pusher holds, and what became of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <busbar/core/clock.hpp>
#include <busbar/protocol/job.hpp>
#include <busbar/protocol/work_codec.hpp>

namespace busbar::protocol {

struct BacklogOptions {
  bool acknowledge = true;
  std::uint32_t attempts_max = 0;  ///< 0: no end of them.
  std::size_t packed_below = 0;    ///< A message of that size is a job from the start.
  bool tell_done = false;
};

/// The messages that wait, fresh or to be given again, and those that are out, each under the
/// number of its delivery. Knows no worker but by the registration that a message is out under.
class Backlog {
 public:
  using JobPtr = std::unique_ptr<Job>;

  explicit Backlog(const BacklogOptions& options) : options_(options) {}

  /// Answers its number.
  std::uint64_t push(Job job);
  void push(Lot lot);

  /// What is to be given again, and comes first; nullptr: nothing.
  const Job* next_again() const noexcept { return again_.empty() ? nullptr : again_.front().get(); }
  JobPtr take_again();
  std::uint64_t fresh() const noexcept { return fresh_messages_; }
  /// Takes what goes together from the front, at most so many messages and bytes, but one at least.
  void take_fresh(std::uint64_t most, std::size_t bytes_max, std::vector<Lot>& into);

  std::uint64_t next_delivery() const noexcept { return deliveries_ + 1; }
  /// Under next_delivery and those behind it.
  void book_out(std::uint64_t registration, Lot lot);
  /// Hands what those deliveries are of what is out under the registration to `each(Lot)`.
  template <class Each>
  void take_back(std::uint64_t registration, const Run& run, Each each);
  std::vector<Lot> take_back_all(std::uint64_t registration);

  // What was taken back is
  void done(const Lot& lot);
  void lost(const Lot& lot);
  /// or goes on, each message by itself. `attempts`: of what was packed.
  std::vector<JobPtr> jobs_of(Lot lot, std::uint32_t attempts);
  /// To be given again, or given up.
  void again(JobPtr job, bool in_front);
  /// To be given again once it has rested, or given up.
  void again_at(TimePoint due, JobPtr job);
  /// What has rested is to be given again.
  void wake(TimePoint now);
  TimePoint next_wake() const noexcept {
    return resting_.empty() ? TimePoint::max() : resting_.begin()->first;
  }

  std::vector<Job> take_given_up() { return std::exchange(given_up_, {}); }
  std::vector<std::uint64_t> take_done() { return std::exchange(done_, {}); }
  /// All that waits counts as given up then.
  std::vector<Job> take_waiting();

  /// pushed = done + given_up + lost + waiting + out.
  struct Counts {
    std::uint64_t pushed = 0;
    std::uint64_t done = 0;
    std::uint64_t given_up = 0;
    std::uint64_t lost = 0;
    std::uint64_t waiting = 0;
    std::uint64_t out = 0;
  };
  Counts counts() const noexcept;
  /// Of what is held. A parcel counts until all of it is settled, as it stays in memory so long.
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  struct Out {
    std::uint64_t registration;
    Lot lot;
  };

  void release(const Lot& lot);
  bool has_ended(JobPtr& job);

  BacklogOptions options_;
  std::deque<JobPtr> again_;
  std::multimap<TimePoint, JobPtr> resting_;  ///< By when they are to be given again.
  std::deque<Lot> fresh_;
  std::map<std::uint64_t, Out> out_;  ///< By the delivery of the lot's first message.
  std::uint64_t fresh_messages_ = 0;
  std::uint64_t out_messages_ = 0;
  std::vector<Job> given_up_;
  std::vector<std::uint64_t> done_;
  Counts counts_;  ///< But for waiting and out.
  std::size_t bytes_ = 0;
  std::uint64_t numbers_ = 0;
  std::uint64_t deliveries_ = 0;
};

template <class Each>
void Backlog::take_back(std::uint64_t registration, const Run& run, Each each) {
  const std::uint64_t end = run.first + run.count;
  auto at = out_.upper_bound(run.first);
  if (at != out_.begin()) --at;
  while (at != out_.end() && at->first < end) {
    Lot& lot = at->second.lot;
    const std::uint64_t first = at->first;
    const std::uint64_t behind = first + lot.messages();
    if (at->second.registration != registration || behind <= run.first) {
      ++at;
    } else if (first < run.first) {
      Lot head = lot.split(static_cast<std::uint32_t>(run.first - first));
      Lot rest = std::exchange(lot, std::move(head));
      at = out_.emplace_hint(std::next(at), run.first, Out{registration, std::move(rest)});
    } else if (behind > end) {
      Lot head = lot.split(static_cast<std::uint32_t>(end - first));
      auto rest = out_.extract(at);
      rest.key() = end;
      at = out_.insert(std::move(rest)).position;
      out_messages_ -= head.messages();
      each(std::move(head));
    } else {
      Lot whole = std::move(lot);
      at = out_.erase(at);
      out_messages_ -= whole.messages();
      each(std::move(whole));
    }
  }
}

}  // namespace busbar::protocol

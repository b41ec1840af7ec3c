#include "busbar/protocol/backlog.hpp"

#include <algorithm>

namespace busbar::protocol {

namespace {
constexpr std::uint64_t same_moment = 1000;  // microseconds
}  // namespace

std::uint64_t Backlog::push(Job job) {
  // What was tried elsewhere goes by itself, as its attempts are told with it.
  if (job.earlier > 0 || job.bytes() >= options_.packed_below) {
    push(Lot{.job = std::make_unique<Job>(std::move(job))});
    return numbers_;
  }
  const bool joins = !fresh_.empty() && fresh_.back().takes_more() &&
                     job.time - fresh_.back().parcel->time < same_moment;
  if (!joins) {
    fresh_.push_back(Lot::open(job.time));
    fresh_.back().parcel->first = numbers_ + 1;
  }
  fresh_.back().add(text(job.payload), job.headers);
  bytes_ += job.bytes();
  ++counts_.pushed;
  ++fresh_messages_;
  return ++numbers_;
}

void Backlog::push(Lot lot) {
  (lot.job ? lot.job->number : lot.parcel->first) = numbers_ + 1;
  numbers_ += lot.messages();
  counts_.pushed += lot.messages();
  fresh_messages_ += lot.messages();
  bytes_ += lot.bytes();
  fresh_.push_back(std::move(lot));
}

Backlog::JobPtr Backlog::take_again() {
  JobPtr job = std::move(again_.front());
  again_.pop_front();
  return job;
}

void Backlog::take_fresh(std::uint64_t most, std::size_t bytes_max, std::vector<Lot>& into) {
  std::uint64_t messages = 0;
  for (std::size_t bytes = 0; messages < most && !fresh_.empty();) {
    Lot& front = fresh_.front();
    const auto wanted =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(front.messages(), most - messages));
    std::uint32_t count = wanted;
    if (front.job) {
      if (messages > 0) break;
      most = 1;
    } else {
      const Parcel& parcel = *front.parcel;
      const std::size_t room = bytes_max - std::min(bytes, bytes_max);
      while (count > 0 && parcel.bytes(front.begin, front.begin + count) > room) --count;
      if (count == 0 && messages > 0) break;
      count = std::max(count, 1u);
      bytes += parcel.bytes(front.begin, front.begin + count);
    }
    if (count < front.messages()) {
      into.push_back(front.split(count));
    } else {
      into.push_back(std::move(front));
      fresh_.pop_front();
    }
    messages += count;
    if (count < wanted) break;
  }
  fresh_messages_ -= messages;
}

void Backlog::book_out(std::uint64_t registration, Lot lot) {
  const std::uint32_t messages = lot.messages();
  if (!options_.acknowledge) {
    release(lot);
    lot = {.begin = 0, .end = messages};
  }
  out_.emplace_hint(out_.end(), deliveries_ + 1, Out{registration, std::move(lot)});
  deliveries_ += messages;
  out_messages_ += messages;
}

std::vector<Lot> Backlog::take_back_all(std::uint64_t registration) {
  std::vector<Lot> lots;
  for (auto at = out_.begin(); at != out_.end();) {
    if (at->second.registration != registration) {
      ++at;
      continue;
    }
    out_messages_ -= at->second.lot.messages();
    lots.push_back(std::move(at->second.lot));
    at = out_.erase(at);
  }
  return lots;
}

void Backlog::release(const Lot& lot) {
  if (lot.job) {
    bytes_ -= lot.job->bytes();
  } else if (lot.parcel) {
    lot.parcel->settled += lot.messages();
    if (lot.parcel->settled == lot.parcel->messages()) bytes_ -= lot.parcel->bytes();
  }
}

void Backlog::done(const Lot& lot) {
  counts_.done += lot.messages();
  for (std::uint32_t i = 0; options_.tell_done && i < lot.messages(); ++i) {
    done_.push_back(lot.number() + i);
  }
  release(lot);
}

void Backlog::lost(const Lot& lot) {
  counts_.lost += lot.messages();
  release(lot);
}

std::vector<Backlog::JobPtr> Backlog::jobs_of(Lot lot, std::uint32_t attempts) {
  std::vector<JobPtr> jobs;
  if (lot.job) {
    jobs.push_back(std::move(lot.job));
    return jobs;
  }
  for (std::uint32_t i = lot.begin; i < lot.end; ++i) {
    jobs.push_back(std::make_unique<Job>(lot.parcel->job(i)));
    jobs.back()->attempts = attempts;
    bytes_ += jobs.back()->bytes();
  }
  release(lot);
  return jobs;
}

/// Whether that was its last attempt; then it is given up.
bool Backlog::has_ended(JobPtr& job) {
  if (options_.attempts_max == 0 || job->attempts < options_.attempts_max) return false;
  ++counts_.given_up;
  bytes_ -= job->bytes();
  given_up_.push_back(std::move(*job));
  return true;
}

void Backlog::again(JobPtr job, bool in_front) {
  if (has_ended(job)) return;
  again_.insert(in_front ? again_.begin() : again_.end(), std::move(job));
}

void Backlog::again_at(TimePoint due, JobPtr job) {
  if (!has_ended(job)) resting_.emplace(due, std::move(job));
}

void Backlog::wake(TimePoint now) {
  while (next_wake() <= now && !resting_.empty()) {
    again_.push_back(std::move(resting_.begin()->second));
    resting_.erase(resting_.begin());
  }
}

std::vector<Job> Backlog::take_waiting() {
  for (Lot& lot : std::exchange(fresh_, {})) {
    for (JobPtr& job : jobs_of(std::move(lot), 0)) again_.push_back(std::move(job));
  }
  fresh_messages_ = 0;
  wake(TimePoint::max());
  std::vector<Job> jobs;
  for (const JobPtr& job : std::exchange(again_, {})) {
    bytes_ -= job->bytes();
    jobs.push_back(std::move(*job));
  }
  counts_.given_up += jobs.size();
  return jobs;
}

Backlog::Counts Backlog::counts() const noexcept {
  Counts counts = counts_;
  counts.waiting = again_.size() + resting_.size() + fresh_messages_;
  counts.out = out_messages_;
  return counts;
}

}  // namespace busbar::protocol

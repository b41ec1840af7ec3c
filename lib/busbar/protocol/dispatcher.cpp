#include "busbar/protocol/dispatcher.hpp"

#include <algorithm>
#include <utility>

namespace busbar::protocol {

namespace {

constexpr int silent_beats = 3;
/// Load in parts of this, so that it is compared in whole numbers.
constexpr std::uint64_t full_load = std::uint64_t{1} << 32;
/// A payload of a batch is copied; a large one is better sent by itself.
constexpr std::size_t batch_share = 4;

Frame copy_of(Frame& frame) {
  Frame twin;
  twin.copy(frame);
  return twin;
}

}  // namespace

std::size_t Job::bytes() const noexcept {
  std::size_t sum = payload.size();
  for (const auto& [name, value] : headers) sum += name.size() + value.size();
  return sum;
}

void Dispatcher::connected(const Address& address) {
  connected_.insert(address);
  greet(address);
}

void Dispatcher::disconnected(const Address& address) {
  connected_.erase(address);
  unreachable(address);
}

void Dispatcher::unreachable(const Address& address) {
  const auto worker = workers_.find(address);
  if (worker != workers_.end()) dismiss(worker->second, Loss::death);
}

void Dispatcher::probe() {
  for (const auto& [address, worker] : workers_) greet(address);
}

std::uint64_t Dispatcher::push(Job job) {
  ++counts_.pushed;
  job.number = ++numbers_;
  bytes_ += job.bytes();
  fresh_.push_back(std::move(job));
  return numbers_;
}

std::vector<Job> Dispatcher::take_waiting() {
  std::vector<Job> jobs;
  for (std::deque<Job>* queue : {&again_, &fresh_}) {
    for (Job& job : *queue) {
      bytes_ -= job.bytes();
      jobs.push_back(std::move(job));
    }
    queue->clear();
  }
  counts_.given_up += jobs.size();
  return jobs;
}

std::uint64_t Dispatcher::credit() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& [address, worker] : workers_) sum += worker.credit;
  return sum;
}

void Dispatcher::on_message(const Address& from, const Multipart& frames, TimePoint now) {
  const auto message = frames.empty() ? std::nullopt : decode_work(frames.text(0));
  const auto found = workers_.find(from);
  Worker* worker = found == workers_.end() ? nullptr : &found->second;
  if (worker != nullptr) worker->heard = now;
  if (!message) {
    ++counts_.refused;
  } else if (const auto* ready = std::get_if<Ready>(&*message)) {
    on(worker, from, *ready, now);
  } else if (const auto* answer = std::get_if<Answer>(&*message)) {
    on(worker, from, *answer, now);
  } else if (std::holds_alternative<Goodbye>(*message)) {
    if (worker != nullptr) dismiss(*worker, Loss::leave);
  } else {
    ++counts_.refused;
  }
}

void Dispatcher::on(Worker* worker, const Address& from, const Ready& ready, TimePoint now) {
  const bool same =
      worker != nullptr && worker->id == ready.worker && worker->session == ready.session;
  const bool missed =
      same && ready.registration == worker->registration && ready.answers != worker->answers;
  if (!same || missed) return enroll(from, ready, now);
  leave_place(*worker);
  worker->credit = std::min(ready.credit, credit_max);
  worker->expiry = ready.expiry;
  take_place(*worker);
  if (ready.registration != worker->registration) greet(from);
  deadline_ = std::min(deadline_, after(now, ready.expiry));
}

void Dispatcher::enroll(const Address& address, const Ready& ready, TimePoint now) {
  // A puller that was connected anew, or wants to begin anew, is alive: nothing of its is suspect.
  std::vector<Worker*> former;
  for (auto& [other, worker] : workers_) {
    if (other == address || worker.id == ready.worker) former.push_back(&worker);
  }
  for (Worker* worker : former) {
    dismiss(*worker, worker->id == ready.worker ? Loss::broken : Loss::death);
  }
  Worker& worker = workers_[address];
  worker.address = address;
  worker.id = ready.worker;
  worker.session = ready.session;
  worker.registration = ++registrations_;
  worker.credit = std::min(ready.credit, credit_max);
  worker.expiry = ready.expiry;
  worker.heard = now;
  worker.turn = ++turns_;
  take_place(worker);
  greet(address);
  deadline_ = std::min(deadline_, after(now, ready.expiry));
}

void Dispatcher::on(Worker* worker, const Address& from, const Answer& answer, TimePoint now) {
  std::uint64_t deliveries = 0;
  for (const Run& run : answer.runs)
    deliveries += std::min<std::uint64_t>(run.count, credit_max + 1);
  const bool current = worker != nullptr && answer.pusher == options_.id &&
                       answer.registration == worker->registration;
  if (!current) {
    counts_.stale += deliveries;
    return greet(from);
  }
  if (answer.number <= worker->answers) return;  // it was doubled on its way
  if (answer.number > worker->answers + 1 || deliveries > worker->out) {
    // Answers were lost, or it answers for what it was not given: begin anew, from what we know.
    counts_.refused += answer.number == worker->answers + 1 ? 1 : 0;
    return enroll(from,
                  {.worker = worker->id,
                   .session = worker->session,
                   .credit = worker->credit,
                   .expiry = worker->expiry},
                  now);
  }
  ++worker->answers;
  leave_place(*worker);
  for (const Run& run : answer.runs) {
    for (std::uint64_t i = 0; i < run.count; ++i) settle(*worker, run.first + i, answer);
  }
  take_place(*worker);
}

void Dispatcher::settle(Worker& worker, std::uint64_t delivery, const Answer& answer) {
  Entry* entry = out_.find(delivery);
  if (entry == nullptr || entry->worker != &worker) {
    ++counts_.stale;
    return;
  }
  Job job = std::move(entry->job);
  out_.erase(delivery);
  --worker.out;
  if (job.suspect) --worker.suspects;
  if (answer.verdict == Verdict::done || !options_.acknowledge) {
    ++counts_.done;
    if (options_.tell_done) done_.push_back(job.number);
    return finished(job);
  }
  if (answer.verdict == Verdict::returned) --job.attempts;
  if (answer.verdict != Verdict::returned) job.failure = answer.reason;
  if (answer.verdict == Verdict::died) job.suspect = true;
  job.avoid = worker.id;
  again(std::move(job), false);
}

void Dispatcher::dismiss(Worker& worker, Loss how) {
  std::vector<Job> jobs;
  out_.erase_if([&](Entry& entry) {
    if (entry.worker != &worker) return false;
    jobs.push_back(std::move(entry.job));
    return true;
  });
  std::sort(jobs.begin(), jobs.end(),
            [](const Job& a, const Job& b) { return a.number > b.number; });
  for (Job& job : jobs) {
    if (!options_.acknowledge) {
      ++counts_.lost;
      continue;
    }
    if (how != Loss::broken) job.avoid = worker.id;
    job.suspect |= how == Loss::death;
    if (how == Loss::death) job.failure = "the worker died";
    again(std::move(job), true);
  }
  leave_place(worker);
  workers_.erase(Address{worker.address});
}

void Dispatcher::again(Job job, bool in_front) {
  if (options_.attempts_max != 0 && job.attempts >= options_.attempts_max) {
    ++counts_.given_up;
    finished(job);
    given_up_.push_back(std::move(job));
  } else if (in_front) {
    again_.push_front(std::move(job));
  } else {
    again_.push_back(std::move(job));
  }
}

void Dispatcher::on_time(TimePoint now) {
  // Where we were not run for long, what the workers said meanwhile is still to be read.
  if (looked_ != TimePoint::min() && now - looked_ > 2 * options_.heartbeat) {
    const Duration missed = now - looked_ - options_.heartbeat;
    for (auto& [address, worker] : workers_) worker.heard += missed;
  }
  looked_ = now;
  if (now >= beat_) {
    beat_ = after(now, options_.heartbeat);
    for (const Address& address : connected_) greet(address);
    probe();
  }
  deadline_ = beat_;
  std::vector<Worker*> dead;
  for (auto& [address, worker] : workers_) {
    const TimePoint end = after(worker.heard, worker.expiry);
    if (end <= now) {
      dead.push_back(&worker);
    } else {
      deadline_ = std::min(deadline_, end);
    }
  }
  for (Worker* worker : dead) dismiss(*worker, Loss::death);
}

void Dispatcher::leave() {
  leaving_ = true;
  greetings_.clear();
  for (const auto& [address, worker] : workers_) greetings_.push_back(address);
}

DispatcherCounts Dispatcher::counts() const noexcept {
  DispatcherCounts counts = counts_;
  counts.waiting = fresh_.size() + again_.size();
  counts.out = out_.size();
  counts.workers = workers_.size();
  return counts;
}

void Dispatcher::greet(const Address& address) {
  if (!leaving_ && greeted_.insert(address).second) greetings_.push_back(address);
}

void Dispatcher::leave_place(Worker& worker) {
  if (worker.out < worker.credit) {
    places_.erase({worker.out * full_load / worker.credit, worker.turn, &worker});
  }
}

void Dispatcher::take_place(Worker& worker) {
  if (worker.out < worker.credit) {
    places_.insert({worker.out * full_load / worker.credit, worker.turn, &worker});
  }
}

Dispatcher::Worker* Dispatcher::worker_for(const Job& job) {
  const bool others = std::any_of(workers_.begin(), workers_.end(), [&](const auto& other) {
    return other.second.id != job.avoid && other.second.credit > 0;
  });
  for (const auto& [load, turn, worker] : places_) {
    if (job.suspect && worker->suspects > 0) continue;
    if (worker->id != job.avoid || !others) return worker;
  }
  return nullptr;
}

bool Dispatcher::next(Outgoing& out) {
  out.frames.clear();
  if (!greetings_.empty()) {
    out.to = std::move(greetings_.front());
    greetings_.pop_front();
    greeted_.erase(out.to);
    const auto found = workers_.find(out.to);
    Alive alive{.pusher = options_.id, .expiry = silent_beats * options_.heartbeat};
    if (found != workers_.end()) {
      alive.session = found->second.session;
      alive.registration = found->second.registration;
      alive.handed = found->second.handed;
    }
    out.frames.push_back(leaving_ ? encode(Goodbye{options_.id}) : encode(alive));
    return true;
  }
  if (leaving_ || places_.empty()) return false;
  Worker* worker = again_.empty() ? nullptr : worker_for(again_.front());
  if (worker != nullptr) {
    ++counts_.redelivered;
    Job job = std::move(again_.front());
    again_.pop_front();
    hand_one(*worker, std::move(job), out);
    return true;
  }
  if (fresh_.empty()) return false;
  worker = std::get<Worker*>(*places_.begin());
  // No more than its share, so that the others are not left without.
  const std::uint64_t share = (fresh_.size() + places_.size() - 1) / places_.size();
  hand_batch(*worker, std::min(share, worker->credit - worker->out), out);
  return true;
}

void Dispatcher::begin_hand(Worker& worker, std::uint32_t attempt, std::uint32_t messages,
                            Outgoing& out) {
  leave_place(worker);
  worker.turn = ++turns_;
  out.to = worker.address;
  char room[short_hand_max];
  const Hand hand{.registration = worker.registration,
                  .number = ++worker.handed,
                  .delivery = deliveries_ + 1,
                  .attempt = attempt};
  out.frames.push_back(std::string_view(room, encode_short(hand, room)));
  worker.out += messages;
}

void Dispatcher::book_out(Worker& worker, Job job) {
  if (!options_.acknowledge) {
    bytes_ -= job.bytes();
    job.payload.rebuild();
    job.headers.clear();
  }
  if (job.suspect) ++worker.suspects;
  out_.insert(++deliveries_, {std::move(job), &worker});
}

void Dispatcher::hand_one(Worker& worker, Job job, Outgoing& out) {
  ++job.attempts;
  begin_hand(worker, options_.acknowledge ? job.earlier + job.attempts : 0, 1, out);
  const Header header{
      .publisher = options_.id, .sequence = job.number, .time = job.time, .headers = job.headers};
  if (header.headers.empty()) {
    char room[short_header_size];
    out.frames.push_back(std::string_view(room, encode_short(header, room)));
  } else {
    out.frames.push_back(encode(header));
  }
  out.frames.push_back(copy_of(job.payload));
  book_out(worker, std::move(job));
  take_place(worker);
}

void Dispatcher::hand_batch(Worker& worker, std::uint64_t most, Outgoing& out) {
  const std::size_t single = options_.batch_bytes / batch_share;
  most = std::min<std::uint64_t>({most, options_.batch_messages, fresh_.size()});
  std::size_t count = 0;
  for (std::size_t bytes = 0; count < most; ++count) {
    const std::size_t more = fresh_[count].bytes();
    bytes += more;
    const bool alone = more > single || fresh_[count].earlier > 0;
    if (alone || bytes > options_.batch_bytes) break;
  }
  if (count < 2) {
    Job job = std::move(fresh_.front());
    fresh_.pop_front();
    return hand_one(worker, std::move(job), out);
  }
  begin_hand(worker, options_.acknowledge ? 1 : 0, static_cast<std::uint32_t>(count), out);
  const Header header{.publisher = options_.id,
                      .sequence = fresh_.front().number,
                      .time = fresh_.front().time,
                      .batch = static_cast<std::uint32_t>(count)};
  char room[short_header_size];
  out.frames.push_back(std::string_view(room, encode_short(header, room)));
  batch_.clear();
  for (std::size_t i = 0; i < count; ++i) {
    Job& job = fresh_.front();
    ++job.attempts;
    append_record(batch_, text(job.payload), job.headers);
    book_out(worker, std::move(job));
    fresh_.pop_front();
  }
  out.frames.push_back(batch_);
  take_place(worker);
}

}  // namespace busbar::protocol

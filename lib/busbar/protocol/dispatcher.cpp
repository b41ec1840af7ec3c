#include "busbar/protocol/dispatcher.hpp"

#include <algorithm>
#include <utility>

namespace busbar::protocol {

namespace {

constexpr int silent_beats = 3;
constexpr std::chrono::milliseconds longest_rest = std::chrono::minutes{1};
/// Load in parts of this, so that it is compared in whole numbers.
constexpr std::uint64_t full_load = std::uint64_t{1} << 32;

Frame copy_of(Frame& frame) {
  Frame twin;
  twin.copy(frame);
  return twin;
}

}  // namespace

Dispatcher::Dispatcher(const DispatcherOptions& options)
    : options_(options),
      backlog_({.acknowledge = options.acknowledge,
                .attempts_max = options.attempts_max,
                .packed_below = packed_below(options.batch_bytes),
                .tell_done = options.tell_done}) {}

void Dispatcher::connected(const Address& address) {
  connected_.insert(address);
  greet(address);
}

void Dispatcher::disconnected(const Address& address, TimePoint now) {
  connected_.erase(address);
  unreachable(address, now);
}

void Dispatcher::unreachable(const Address& address, TimePoint now) {
  const auto worker = workers_.find(address);
  if (worker != workers_.end()) dismiss(worker->second, Loss::death, now);
}

void Dispatcher::probe() {
  for (const auto& [address, worker] : workers_) greet(address);
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
    ++counts_.malformed;
  } else if (const auto* ready = std::get_if<Ready>(&*message)) {
    on(worker, from, *ready, now);
  } else if (const auto* answer = std::get_if<Answer>(&*message)) {
    on(worker, from, *answer, now);
  } else if (std::holds_alternative<Goodbye>(*message)) {
    if (worker != nullptr) dismiss(*worker, Loss::leave, now);
  } else {
    ++counts_.malformed;
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
    // It was overtaken. To go back would have both sides begin anew, more and more often.
    if (worker.id == ready.worker && worker.session > ready.session) return;
    if (other == address || worker.id == ready.worker) former.push_back(&worker);
  }
  for (Worker* worker : former) {
    dismiss(*worker, worker->id == ready.worker ? Loss::broken : Loss::death, now);
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
    counts_.malformed += answer.number == worker->answers + 1 ? 1 : 0;
    return enroll(from,
                  {.worker = worker->id,
                   .session = worker->session,
                   .credit = worker->credit,
                   .expiry = worker->expiry},
                  now);
  }
  ++worker->answers;
  leave_place(*worker);
  for (const Run& run : answer.runs) settle(*worker, run, answer, now);
  take_place(*worker);
}

void Dispatcher::settle(Worker& worker, const Run& run, const Answer& answer, TimePoint now) {
  std::uint64_t known = 0;
  backlog_.take_back(worker.registration, run, [&](Lot lot) {
    known += lot.messages();
    if (lot.job && lot.job->suspect) --worker.suspects;
    if (answer.verdict == Verdict::done || !options_.acknowledge) return backlog_.done(lot);
    for (Backlog::JobPtr& job : backlog_.jobs_of(std::move(lot), 1)) {
      job->avoid = worker.id;
      std::uint32_t failures = 0;
      if (answer.verdict == Verdict::returned) {
        --job->attempts;
      } else {
        const bool died = answer.verdict == Verdict::died;
        job->suspect |= died;
        job->failure = answer.reason;
        failures = job->attempts - (died ? 1 : 0);
      }
      again(std::move(job), failures, false, now);
    }
  });
  worker.out -= known;
  counts_.stale += run.count - known;
}

/// What failed rests first. A first death is no failure of the message: mostly it has other causes,
/// and what was beside it must not wait.
void Dispatcher::again(Backlog::JobPtr job, std::uint32_t failures, bool in_front, TimePoint now) {
  if (failures == 0 || options_.retry_after.count() <= 0) {
    return backlog_.again(std::move(job), in_front);
  }
  std::chrono::milliseconds pause = options_.retry_after;
  const auto most = std::max(pause, longest_rest);
  for (std::uint32_t i = 1; i < failures && pause < most; ++i) pause = std::min(2 * pause, most);
  const TimePoint due = after(now, pause);
  deadline_ = std::min(deadline_, due);
  backlog_.again_at(due, std::move(job));
}

void Dispatcher::dismiss(Worker& worker, Loss how, TimePoint now) {
  std::vector<Backlog::JobPtr> jobs;
  for (Lot& lot : backlog_.take_back_all(worker.registration)) {
    if (!options_.acknowledge) {
      backlog_.lost(lot);
      continue;
    }
    for (Backlog::JobPtr& job : backlog_.jobs_of(std::move(lot), 1)) jobs.push_back(std::move(job));
  }
  std::sort(jobs.begin(), jobs.end(),
            [](const auto& a, const auto& b) { return a->number > b->number; });
  for (Backlog::JobPtr& job : jobs) {
    if (how != Loss::broken) job->avoid = worker.id;
    job->suspect |= how == Loss::death;
    if (how == Loss::death) job->failure = "the worker died";
    const std::uint32_t failures = how == Loss::death ? job->attempts - 1 : 0;
    again(std::move(job), failures, true, now);
  }
  leave_place(worker);
  workers_.erase(Address{worker.address});
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
  backlog_.wake(now);
  deadline_ = std::min(beat_, backlog_.next_wake());
  std::vector<Worker*> dead;
  for (auto& [address, worker] : workers_) {
    const TimePoint end = after(worker.heard, worker.expiry);
    if (end <= now) {
      dead.push_back(&worker);
    } else {
      deadline_ = std::min(deadline_, end);
    }
  }
  for (Worker* worker : dead) dismiss(*worker, Loss::death, now);
}

void Dispatcher::leave() {
  leaving_ = true;
  greetings_.clear();
  for (const auto& [address, worker] : workers_) greetings_.push_back(address);
}

DispatcherCounts Dispatcher::counts() const noexcept {
  const Backlog::Counts held = backlog_.counts();
  DispatcherCounts counts = counts_;
  counts.pushed = held.pushed;
  counts.done = held.done;
  counts.given_up = held.given_up;
  counts.lost = held.lost;
  counts.waiting = held.waiting;
  counts.out = held.out;
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
    next_greeting(out);
    return true;
  }
  if (leaving_ || places_.empty()) return false;
  const Job* again = backlog_.next_again();
  if (Worker* worker = again == nullptr ? nullptr : worker_for(*again)) {
    ++counts_.redelivered;
    lots_.push_back({.job = backlog_.take_again()});
    hand(*worker, out);
    return true;
  }
  const std::uint64_t fresh = backlog_.fresh();
  if (fresh == 0) return false;
  Worker& worker = *std::get<Worker*>(*places_.begin());
  // No more than its share, so that the others are not left without.
  const std::uint64_t share = (fresh + places_.size() - 1) / places_.size();
  const std::uint64_t most =
      std::min<std::uint64_t>({share, worker.credit - worker.out, options_.batch_messages});
  backlog_.take_fresh(most, options_.batch_bytes, lots_);
  hand(worker, out);
  return true;
}

void Dispatcher::next_greeting(Outgoing& out) {
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
}

/// What lots_ has, as one message.
void Dispatcher::hand(Worker& worker, Outgoing& out) {
  std::uint32_t messages = 0;
  std::uint32_t attempt = 1;
  for (const Lot& lot : lots_) {
    messages += lot.messages();
    if (!lot.job) continue;
    attempt = lot.job->earlier + ++lot.job->attempts;
    if (lot.job->suspect) ++worker.suspects;
  }
  leave_place(worker);
  worker.turn = ++turns_;
  worker.out += messages;
  out.to = worker.address;
  char room[short_hand_max];
  const Hand hand{.registration = worker.registration,
                  .number = ++worker.handed,
                  .delivery = backlog_.next_delivery(),
                  .attempt = options_.acknowledge ? attempt : 0};
  out.frames.push_back(std::string_view(room, encode_short(hand, room)));
  messages == 1 ? add_single(lots_.front(), out.frames) : add_batch(messages, out.frames);
  for (Lot& lot : lots_) backlog_.book_out(worker.registration, std::move(lot));
  lots_.clear();
  take_place(worker);
}

void Dispatcher::add_single(Lot& lot, Multipart& frames) const {
  Job packed;
  if (!lot.job) packed = lot.parcel->job(lot.begin);
  Job& job = lot.job ? *lot.job : packed;
  const Header header{
      .publisher = options_.id, .sequence = job.number, .time = job.time, .headers = job.headers};
  if (header.headers.empty()) {
    char room[short_header_size];
    frames.push_back(std::string_view(room, encode_short(header, room)));
  } else {
    frames.push_back(encode(header));
  }
  frames.push_back(lot.job ? copy_of(job.payload) : std::move(job.payload));
}

void Dispatcher::add_batch(std::uint32_t messages, Multipart& frames) const {
  const Header header{.publisher = options_.id,
                      .sequence = lots_.front().number(),
                      .time = lots_.front().time(),
                      .batch = messages};
  char room[short_header_size];
  frames.push_back(std::string_view(room, encode_short(header, room)));
  std::size_t bytes = 0;
  for (const Lot& lot : lots_) bytes += lot.parcel->records(lot.begin, lot.end).size();
  Frame batch{bytes};
  char* to = static_cast<char*>(batch.data());
  for (const Lot& lot : lots_) {
    const std::string_view records = lot.parcel->records(lot.begin, lot.end);
    to = std::copy(records.begin(), records.end(), to);
  }
  frames.push_back(std::move(batch));
}

}  // namespace busbar::protocol

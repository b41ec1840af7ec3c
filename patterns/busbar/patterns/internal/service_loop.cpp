#include "busbar/patterns/internal/service_loop.hpp"

#include <algorithm>

#include <busbar/patterns/internal/thrown_by.hpp>

namespace busbar::detail {

using std::chrono::milliseconds;

ServiceLoop::ServiceLoop(Context& context, const ServiceWorkerOptions& options,
                         std::function<Multipart(ServiceRequest&)> handler)
    : EngineLoop(context, "service '" + printable(options.service) + "'"),
      handler_(std::move(handler)) {
  start(std::make_unique<ServiceEngine>(context, options,
                                        [this](std::size_t place, WorkerProtocol::Request request) {
                                          const std::scoped_lock lock(mutex_);
                                          ++ledger_.received;
                                          ++ledger_.running;
                                          jobs_[place].push_back(std::move(request));
                                          changed_.notify_all();
                                        }));
  jobs_.resize(engine_->size());
  answers_.resize(engine_->size());
}

bool ServiceLoop::turn(TimePoint now) {
  engine_->send_all();  // where there was no room
  {
    const std::scoped_lock lock(mutex_);
    take_answers(now);
  }
  if (std::exchange(too_large_, false)) {
    context_.log(LogLevel::error, name() + ": an answer of more than 64 MiB, or with version 0.1 " +
                                      "of more than 58 parts, was not sent");
  }
  if (is_leaving()) engine_->close();
  const bool came = engine_->turn(now);
  const std::scoped_lock lock(mutex_);
  for (std::size_t place = 0; place < jobs_.size(); ++place) drop_late(place);
  engine_->tell(ledger_);
  return came;
}

/// Those that are not begun, and whose connection is gone.
void ServiceLoop::drop_late(std::size_t place) {
  const std::size_t dropped = std::erase_if(jobs_[place], [&](const WorkerProtocol::Request& one) {
    return !engine_->at(place).holds(one.number);
  });
  ledger_.late += dropped;
  ledger_.running -= dropped;
}

bool ServiceLoop::is_leaving() const {
  const std::scoped_lock lock(mutex_);
  return leave_at_.has_value();
}

void ServiceLoop::take_answers(TimePoint now) {
  fresh_ = false;
  for (std::size_t place = 0; place < answers_.size(); ++place) {
    WorkerProtocol& protocol = engine_->at(place);
    for (auto& waiting = answers_[place]; !waiting.empty() && !protocol.is_blocked();
         waiting.pop_front()) {
      take(protocol, waiting.front(), now);
    }
  }
  changed_.notify_all();  // there is room for parts
}

void ServiceLoop::take(WorkerProtocol& protocol, Answer& answer, TimePoint now) {
  using Answered = WorkerProtocol::Answered;
  auto answered = Answered::sent;
  if (answer.body) {
    answered = protocol.answer(answer.request, std::move(*answer.body), answer.final, now);
  } else {
    protocol.give_up(answer.request, now);
  }
  if (!answer.final) return;
  --ledger_.running;
  const bool failed = !answer.body || answered == Answered::too_large;
  ++(failed ? ledger_.failed : answered == Answered::late ? ledger_.late : ledger_.replied);
  too_large_ |= answered == Answered::too_large;
}

/// What waits for the broker to read has a bound, which a handler feels.
void ServiceLoop::put(std::size_t place, Answer answer) {
  std::unique_lock lock(mutex_);
  if (!answer.final) {
    wait_for(lock, std::chrono::hours{24 * 365},
             [&] { return ended_ || answers_[place].size() < parts_waiting_max; });
  }
  if (ended_ && answer.final) {
    --ledger_.running;
    ++(answer.body ? ledger_.late : ledger_.failed);
  }
  if (ended_) return;
  answers_[place].push_back(std::move(answer));
  fresh_ = true;
  wake_up();
}

bool ServiceLoop::work(std::size_t place, milliseconds wait) {
  std::optional<WorkerProtocol::Request> job;
  {
    std::unique_lock lock(mutex_);
    wait_for(lock, wait, [&] { return ended_ || !jobs_[place].empty(); });
    if (ended_) return false;
    if (jobs_[place].empty()) return true;
    job = std::move(jobs_[place].front());
    jobs_[place].pop_front();
  }
  const std::uint64_t number = job->number;
  ServiceRequest request{std::move(job->body), [&](Multipart part) {
                           put(place, {number, std::move(part), false});
                         }};
  put(place, {number, answer_to(request), true});
  return true;
}

/// None: the handler failed.
std::optional<Multipart> ServiceLoop::answer_to(ServiceRequest& request) {
  std::optional<Multipart> answer;
  const auto threw = thrown_by([&] { answer = handler_(request); });
  if (threw) context_.log(LogLevel::error, name() + ": its handler threw: " + *threw);
  return answer;
}

void ServiceLoop::ended() { engine_->tell(ledger_); }

StopReport ServiceLoop::report() const {
  const std::scoped_lock lock(mutex_);
  return {.clean = ledger_.running == 0, .abandoned = ledger_.running};
}

ServiceWorkerLedger ServiceLoop::ledger() const {
  const std::scoped_lock lock(mutex_);
  return ledger_;
}

}  // namespace busbar::detail

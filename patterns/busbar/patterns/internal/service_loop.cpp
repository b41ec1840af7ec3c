#include "busbar/patterns/internal/service_loop.hpp"

#include <algorithm>

#include <busbar/patterns/internal/thrown_by.hpp>

namespace busbar::detail {

using std::chrono::milliseconds;

namespace {
constexpr int burst = 256;
}  // namespace

ServiceEngine::ServiceEngine(Context& context, const ServiceWorkerOptions& options)
    : context_(context), options_(options) {
  const WorkerProtocol::Options protocol{
      .service = options.service,
      .dialect = protocol::majordomo::dialect_of(options.version),
      .heartbeat = options.heartbeat,
      .expiry = options.expiry};
  for (const Endpoint& broker : options.connect) {
    for (unsigned i = 0; i < options.threads; ++i) {
      places_.push_back({.broker = broker, .protocol = WorkerProtocol{protocol}});
    }
  }
  for (Place& place : places_) {
    connect(place);
    place.socket->release();
  }
}

void ServiceEngine::connect(Place& place) {
  // What it could not deliver to a broker that is not there goes: one that comes would take its old
  // READY for a worker. What the broker does read may be an answer.
  if (place.socket && !may_be_heard(place)) place.socket->close(milliseconds{0});
  place.socket.emplace(context_, SocketType::dealer,
                       SocketOptions{.name = "service '" + printable(options_.service) + "'",
                                     .connect = {place.broker},
                                     .security = options_.security});
  place.socket->on_event([this](const SocketEvent& event) { trouble_.hear(event); });
  place.protocol.connected(context_.clock().now());
  ++connections_;
}

bool ServiceEngine::turn(TimePoint now, const Take& take) {
  int received = 0;
  maintain_at_ = TimePoint::max();
  for (std::size_t i = 0; i < places_.size(); ++i) {
    Place& place = places_[i];
    maintain_at_ = std::min(maintain_at_, place.socket->maintain());
    while (received < burst && place.socket->receive(frames_)) {
      ++received;
      if (auto request = place.protocol.on_message(frames_, now)) take(i, std::move(*request));
    }
    if (place.protocol.next_deadline() <= now) place.protocol.on_time(now);
    if (place.protocol.wants_socket(now)) connect(place);
    send_all(place);
  }
  return received > 0;
}

/// What there is no room for waits until the broker reads, or is given up.
void ServiceEngine::send_all(Place& place) {
  while (place.protocol.next(frames_)) {
    if (place.socket->send(frames_) == SendResult::sent) continue;
    return place.protocol.put_back(std::move(frames_));
  }
}

void ServiceEngine::send_all() {
  for (Place& place : places_) send_all(place);
}

bool ServiceEngine::is_blocked() const {
  return std::any_of(places_.begin(), places_.end(), [](const Place& place) {
    return place.protocol.is_blocked() && may_be_heard(place);
  });
}

void ServiceEngine::close() {
  for (Place& place : places_) place.protocol.leave(context_.clock().now());
}

bool ServiceEngine::may_go() const {
  const TimePoint now = context_.clock().now();
  return !is_blocked() && std::all_of(places_.begin(), places_.end(), [&](const Place& place) {
    return place.protocol.may_go(now);
  });
}

/// Whether a broker is connected; of inproc no monitor tells.
bool ServiceEngine::may_be_heard(const Place& place) {
  const auto& peers = place.socket->peers();
  return place.broker.transport() == Transport::inproc ||
         std::any_of(peers.begin(), peers.end(), [](const PeerInfo& it) { return it.connected; });
}

void ServiceEngine::see_off(std::chrono::milliseconds longest) {
  const TimePoint end = after(std::chrono::steady_clock::now(), longest);
  for (Place& place : places_) {
    if (may_be_heard(place)) {
      place.socket->see_off(left_until(end, std::chrono::steady_clock::now()));
    } else {
      place.socket->close(milliseconds{0});
    }
  }
}

TimePoint ServiceEngine::add_to(SocketPoll& poll) {
  TimePoint until = maintain_at_;
  for (Place& place : places_) {
    poll.add(place.socket->raw().handle(),
             place.protocol.is_blocked() ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN);
    poll.add(place.socket->monitor().handle(), ZMQ_POLLIN);
    until = std::min(until, place.protocol.next_deadline());
  }
  return until;
}

void ServiceEngine::tell(ServiceWorkerLedger& ledger) const {
  ledger.malformed = 0;
  for (const Place& place : places_) ledger.malformed += place.protocol.malformed();
  ledger.connections = connections_;
  ledger.handshake_failure = trouble_.handshake_failure;
  ledger.unresolved = trouble_.unresolved;
}

ServiceLoop::ServiceLoop(Context& context, const ServiceWorkerOptions& options,
                         std::function<Multipart(ServiceRequest&)> handler)
    : EngineLoop(context, "service '" + printable(options.service) + "'"),
      handler_(std::move(handler)) {
  start(std::make_unique<ServiceEngine>(context, options));
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
  const bool came = engine_->turn(now, [this](std::size_t place, WorkerProtocol::Request request) {
    const std::scoped_lock lock(mutex_);
    ++ledger_.received;
    ++ledger_.running;
    jobs_[place].push_back(std::move(request));
    changed_.notify_all();
  });
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

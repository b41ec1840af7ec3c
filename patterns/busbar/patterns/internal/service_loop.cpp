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
  // Without what it could not deliver: a broker that comes would take its old READY for a worker.
  if (place.socket) place.socket->close(milliseconds{0});
  place.socket.emplace(context_, SocketType::dealer,
                       SocketOptions{.name = "service '" + printable(options_.service) + "'",
                                     .connect = {place.broker},
                                     .security = options_.security});
  place.socket->on_event([this](const SocketEvent& event) { hear(event); });
  place.protocol.connected(context_.clock().now());
  ++connections_;
}

void ServiceEngine::hear(const SocketEvent& event) {
  if (event.kind == SocketEvent::Kind::handshake_failed) handshake_failure_ = event.cause;
  if (event.kind == SocketEvent::Kind::not_resolved) unresolved_ = event.cause;
  if (event.kind != SocketEvent::Kind::connected) return;
  handshake_failure_.clear();
  unresolved_.clear();
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

/// What there is no room for is lost, as the broker does not read: it is about to be given up.
void ServiceEngine::send_all(Place& place) {
  while (place.protocol.next(frames_)) {
    if (place.socket->send(frames_) != SendResult::sent) frames_.clear();
  }
}

void ServiceEngine::send_all() {
  for (Place& place : places_) send_all(place);
}

void ServiceEngine::close() {
  for (Place& place : places_) place.protocol.leave();
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
    poll.add(place.socket->raw().handle(), ZMQ_POLLIN);
    poll.add(place.socket->monitor().handle(), ZMQ_POLLIN);
    until = std::min(until, place.protocol.next_deadline());
  }
  return until;
}

void ServiceEngine::tell(ServiceWorkerLedger& ledger) const {
  ledger.malformed = 0;
  for (const Place& place : places_) ledger.malformed += place.protocol.malformed();
  ledger.connections = connections_;
  ledger.handshake_failure = handshake_failure_;
  ledger.unresolved = unresolved_;
}

ServiceLoop::ServiceLoop(Context& context, const ServiceWorkerOptions& options,
                         std::function<Multipart(ServiceRequest&)> handler)
    : EngineLoop(context, "service '" + printable(options.service) + "'"),
      handler_(std::move(handler)) {
  start(std::make_unique<ServiceEngine>(context, options));
  jobs_.resize(engine_->size());
}

bool ServiceLoop::turn(TimePoint now) {
  take_answers(now);
  if (is_leaving()) engine_->close();
  const bool came = engine_->turn(now, [this](std::size_t place, WorkerProtocol::Request request) {
    const std::scoped_lock lock(mutex_);
    ++ledger_.received;
    // One that was never begun, and whose connection is gone.
    ++(jobs_[place] ? ledger_.late : ledger_.running);
    jobs_[place] = std::move(request);
    changed_.notify_all();
  });
  const std::scoped_lock lock(mutex_);
  engine_->tell(ledger_);
  return came;
}

bool ServiceLoop::is_leaving() const {
  const std::scoped_lock lock(mutex_);
  return leave_at_.has_value();
}

void ServiceLoop::take_answers(TimePoint now) {
  {
    const std::scoped_lock lock(mutex_);
    taken_.swap(answers_);
  }
  for (Answer& answer : taken_) {
    WorkerProtocol& protocol = engine_->at(answer.place);
    bool in_time = true;
    if (answer.body) {
      in_time = protocol.answer(answer.request, std::move(*answer.body), answer.final);
    } else {
      protocol.give_up(answer.request, now);
    }
    if (!answer.final) continue;
    const std::scoped_lock lock(mutex_);
    --ledger_.running;
    ++(!answer.body ? ledger_.failed : in_time ? ledger_.replied : ledger_.late);
  }
  taken_.clear();
}

void ServiceLoop::put(Answer answer) {
  const std::scoped_lock lock(mutex_);
  if (ended_ && answer.final) {
    --ledger_.running;
    ++(answer.body ? ledger_.late : ledger_.failed);
  }
  if (ended_) return;
  answers_.push_back(std::move(answer));
  wake_up();
}

bool ServiceLoop::work(std::size_t place, milliseconds wait) {
  std::optional<WorkerProtocol::Request> job;
  {
    std::unique_lock lock(mutex_);
    wait_for(lock, wait, [&] { return ended_ || jobs_[place].has_value(); });
    if (ended_) return false;
    job = std::exchange(jobs_[place], std::nullopt);
  }
  if (!job) return true;
  const std::uint64_t number = job->number;
  ServiceRequest request{std::move(job->body), [&](Multipart part) {
                           put({place, number, std::move(part), false});
                         }};
  put({place, number, answer_to(request), true});
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

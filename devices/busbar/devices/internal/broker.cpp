#include "busbar/devices/internal/broker.hpp"

#include <algorithm>

#include <busbar/protocol/pirate.hpp>

namespace busbar::detail {

namespace majordomo = protocol::majordomo;
using Result = BrokerOutlet::Result;

namespace {
constexpr std::size_t workers_max = 100'000;
constexpr std::size_t spare_max = 1000;
}  // namespace

Broker::Broker(Wire wire, const WorkerRules& rules, Books books, BrokerOutlet& outlet)
    : wire_(wire), rules_(rules), books_(books), outlet_(outlet) {}

// Requests

void Broker::accept(Service& service, Multipart& frames, const Asker& asker, TimePoint now) {
  const bool at_once = open_ && service.held.empty() && hand(service, frames, asker);
  if (!at_once) hold(service, frames, asker, now);
  drop_if_idle(service);
}

/// Gives the request to the worker that has been free for longest, or else may have more. False:
/// nobody has room, and the frames are as they were.
bool Broker::hand(Service& service, Multipart& frames, const Asker& asker) {
  while (service.has_room()) {
    Worker& worker = *(service.free.empty() ? service.open : service.free).front();
    give(worker, frames.text(0), asker);
    put_request(worker, frames, asker);
    const std::size_t bytes = out_.bytes();
    const Result result = outlet_.to_worker(out_);
    if (result == Result::sent) {
      ++books_.workers.sent;
      books_.workers.sent_bytes += bytes;
      return true;
    }
    worker.given.pop_back();
    --books_.requests.with_workers;
    // Gone, or so long without reading that it is of no use.
    if (result == Result::full || !outlives_connection(worker)) forget(worker);
    if (result == Result::lost) {
      ++books_.workers[Cause::no_peer];
      return true;
    }
    take_request_back(frames, asker);
  }
  return false;
}

void Broker::put_request(const Worker& worker, Multipart& frames, const Asker& asker) {
  out_.clear();
  out_.push_back(worker.self->first);
  if (wire_ == Wire::majordomo) {
    put_head(out_, majordomo::Role::worker, worker.dialect, majordomo::Command::request);
    out_.push_back(std::move(frames[0]));
    out_.push_back(std::string_view{});
  } else {
    if (worker.dialect.enveloped) out_.push_back(std::string_view{});
    out_.push_back(std::move(frames[0]));
  }
  for (std::size_t i = asker.body; i < frames.size(); ++i) out_.push_back(std::move(frames[i]));
}

/// What put_request moved out of the frames is in them again.
void Broker::take_request_back(Multipart& frames, const Asker& asker) {
  const std::size_t behind = out_.size() - (frames.size() - asker.body);
  std::move(out_.begin() + behind, out_.end(), frames.begin() + asker.body);
  frames[0] = std::move(out_[behind - (wire_ == Wire::majordomo ? 2 : 1)]);
}

void Broker::hold(Service& service, Multipart& frames, const Asker& asker, TimePoint now) {
  const std::size_t bytes = frames.bytes();
  if (held_ >= rules_.hold_messages || held_bytes_ + bytes > rules_.hold_bytes) {
    ++books_.workers[Cause::overflow];
    return;
  }
  // The caller goes on with another one's slots, so that nothing is allocated for the next message.
  service.held.push_back({std::move(frames), asker, bytes, now});
  if (!spare_.empty()) {
    frames = std::move(spare_.back());
    spare_.pop_back();
  }
  ++held_;
  held_bytes_ += bytes;
  ++books_.workers.held;
}

void Broker::serve_held(Service& service) {
  while (open_ && !service.held.empty() && service.has_room()) {
    Held& first = service.held.front();
    if (!hand(service, first.frames, first.asker)) return;
    --held_;
    held_bytes_ -= first.bytes;
    --books_.workers.held;
    first.frames.clear();
    if (spare_.size() < spare_max) spare_.push_back(std::move(first.frames));
    service.held.pop_front();
  }
}

void Broker::set_open(bool open) {
  if (std::exchange(open_, open) || !open) return;
  for (auto& [name, service] : services_) serve_held(service);
}

bool Broker::holds_for_workers() const noexcept {
  const auto waits = [](const auto& named) {
    return !named.second.held.empty() && named.second.has_workers();
  };
  return held_ > 0 && std::any_of(services_.begin(), services_.end(), waits);
}

std::vector<std::pair<std::string, std::size_t>> Broker::unserved() const {
  constexpr std::size_t most = 5;
  std::vector<std::pair<std::string, std::size_t>> all;
  for (const auto& [name, service] : services_) {
    if (all.size() == most) break;
    if (!service.held.empty() && !service.has_workers())
      all.emplace_back(name, service.held.size());
  }
  return all;
}

bool Broker::has_free_worker() const noexcept {
  return !services_.empty() && !services_.begin()->second.free.empty();
}

/// Answers that are counted as more than one message were collected from so many. False: it is
/// dropped.
bool Broker::send_answer(Multipart& answer, std::uint64_t messages) {
  const std::size_t bytes = answer.bytes();
  switch (outlet_.to_client(answer)) {
    case Result::sent:
      books_.clients.sent += messages;
      books_.clients.sent_bytes += bytes;
      return true;
    case Result::full:
      books_.clients[Cause::overflow] += messages;
      break;
    case Result::gone:
    case Result::lost:
      books_.clients[Cause::no_peer] += messages;
      break;
  }
  answer.clear();
  return false;
}

// Workers

Broker::Service& Broker::service_named(std::string_view name) {
  auto at = services_.find(name);
  if (at == services_.end()) {
    at = services_.try_emplace(std::string{name}).first;
    at->second.self = &*at;
  }
  return at->second;
}

void Broker::drop_if_idle(Service& service) {
  if (service.has_workers() || !service.leaving.empty() || !service.held.empty()) return;
  services_.erase(services_.find(service.self->first));
}

Broker::Worker* Broker::find(std::string_view id) {
  const auto at = workers_.find(id);
  return at == workers_.end() ? nullptr : &at->second;
}

/// Free, and behind all others. nullptr: there are too many.
Broker::Worker* Broker::add_worker(std::string_view id, Service& service, TimePoint now) {
  if (workers_.size() >= workers_max) return nullptr;
  const auto at = workers_.try_emplace(std::string{id}).first;
  Worker& worker = at->second;
  worker.self = &*at;
  worker.service = &service;
  worker.heard = now;
  worker.list = &service.free;
  worker.place = service.free.insert(service.free.end(), &worker);
  return &worker;
}

std::list<Broker::Worker*>& Broker::list_of(const Worker& worker) const noexcept {
  Service& service = *worker.service;
  if (worker.leaves) return service.leaving;
  if (!worker.busy()) return service.free;
  // Pirates have one at a time: a REQ socket could not take more.
  const std::size_t most = wire_ == Wire::majordomo ? rules_.prefetch : 1;
  return worker.given.size() < most ? service.open : service.full;
}

/// Where it belongs now, behind all others.
void Broker::relist(Worker& worker) noexcept {
  std::list<Worker*>& list = list_of(worker);
  list.splice(list.end(), *worker.list, worker.place);
  worker.list = &list;
}

void Broker::give(Worker& worker, std::string_view client, const Asker& asker) {
  worker.given.push_back({.client = std::string{client}, .asker = asker});
  ++books_.requests.with_workers;
  relist(worker);
}

/// The worker is done with it, and has room for another one.
void Broker::take_back(Worker& worker, std::vector<Given>::iterator given, bool answered) {
  worker.given.erase(given);
  --books_.requests.with_workers;
  ++(answered ? books_.requests.answered : books_.requests.unanswered);
  relist(worker);
  if (worker.leaves && !worker.busy()) return invalidate(&worker);
  serve_held(*worker.service);  // which may find that the worker is gone
}

/// Where each has one request at a time, its goodbye is all there is to come.
void Broker::let_go(Worker* worker) {
  if (worker == nullptr || rules_.prefetch == 1 || !worker->busy()) return invalidate(worker);
  worker->leaves = true;
  relist(*worker);
}

/// Workers answer in the order in which they were asked, or at least each client so.
std::vector<Broker::Given>::iterator Broker::find_given(Worker& worker, std::string_view client) {
  return std::find_if(worker.given.begin(), worker.given.end(),
                      [&](const Given& one) { return one.client == client; });
}

/// A connection that went may have left answers to be read: it is found gone twice, a heartbeat
/// apart, before they are given up.
bool Broker::outlives_connection(Worker& worker) {
  if (!worker.busy() || worker.gone) return false;
  worker.gone = worker.leaves = true;
  relist(worker);
  return true;
}

/// Leaves the service, which may have become idle.
void Broker::forget(Worker& worker) {
  worker.list->erase(worker.place);
  books_.requests.with_workers -= worker.given.size();
  books_.requests.unanswered += worker.given.size();
  for (Given& given : worker.given) books_.clients[Cause::expired] += drop_parts(given);
  workers_.erase(workers_.find(worker.self->first));
}

void Broker::invalidate(Worker* worker) {
  if (worker == nullptr) return;
  Service& service = *worker->service;
  forget(*worker);
  drop_if_idle(service);
}

void Broker::tell(std::string_view id, majordomo::Dialect dialect, majordomo::Command command) {
  out_.clear();
  out_.push_back(id);
  put_command(out_, dialect, command);
  // One that cannot be told finds out by the silence.
  outlet_.to_worker(out_);
  out_.clear();
}

// Time

void Broker::on_time(TimePoint now) {
  if (now < next_sweep_) return;
  next_sweep_ = now + rules_.heartbeat;
  for (auto at = workers_.begin(); at != workers_.end();) {
    Worker& worker = (at++)->second;
    if (is_dead(worker, now)) forget(worker);
  }
  for (auto at = services_.begin(); at != services_.end();) {
    Service& service = (at++)->second;
    drop_expired(service, now);
    drop_if_idle(service);
  }
}

/// Shows it that we live, and so sees whether its connection does.
bool Broker::is_dead(Worker& worker, TimePoint now) {
  const bool silent = now - worker.heard > rules_.expiry;
  if (wire_ == Wire::pirate) {
    // A forgotten one's answer is passed on all the same, and it is known again.
    if (worker.busy() && silent) return true;
    // A REQ socket can neither speak nor be spoken to until it is given a request.
    if (worker.dialect.enveloped) return false;
  }
  // One with a single thread is silent while it works; not one that has spoken at work before.
  if (silent && (!worker.busy() || worker.beats_at_work)) return true;
  out_.clear();
  out_.push_back(worker.self->first);
  if (wire_ == Wire::majordomo) {
    put_command(out_, worker.dialect, majordomo::Command::heartbeat);
  } else {
    out_.push_back(protocol::pirate::heartbeat_code);
  }
  const Result result = outlet_.to_worker(out_);
  out_.clear();
  return (result == Result::gone || result == Result::lost) && !outlives_connection(worker);
}

void Broker::drop_expired(Service& service, TimePoint now) {
  while (!service.held.empty() && now - service.held.front().since >= rules_.hold_age) {
    --held_;
    held_bytes_ -= service.held.front().bytes;
    --books_.workers.held;
    ++books_.workers[Cause::expired];
    service.held.pop_front();
  }
}

std::uint64_t Broker::leave() {
  std::uint64_t parts = 0;
  for (auto& [id, worker] : workers_) {
    for (const Given& given : worker.given) parts += given.parts_messages;
    if (wire_ == Wire::majordomo) {
      tell(id, worker.dialect, majordomo::Command::disconnect);
    }
  }
  books_.clients[Cause::abandoned] += held_;
  books_.workers[Cause::abandoned] += parts;
  books_.workers.held = books_.clients.held = 0;
  const std::uint64_t abandoned = held_ + parts;
  workers_.clear();
  services_.clear();
  held_ = held_bytes_ = 0;
  books_.requests.unanswered += std::exchange(books_.requests.with_workers, 0);
  return abandoned;
}

}  // namespace busbar::detail

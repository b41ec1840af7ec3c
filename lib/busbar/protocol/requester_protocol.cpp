#include "busbar/protocol/requester_protocol.hpp"

#include <algorithm>
#include <cassert>

namespace busbar {

std::string_view name_of(Outcome outcome) noexcept {
  constexpr std::array<std::string_view, outcome_count> names{
      "replied", "failed", "refused", "expired", "no_peer", "lost", "cancelled"};
  return names[static_cast<std::size_t>(outcome)];
}

}  // namespace busbar

namespace busbar::protocol {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds silence{5000};      // how long a server that left one unanswered comes last
constexpr milliseconds probe_pause{1000};  // between attempts at one that was sent too much
constexpr int doublings_max = 4;           // of the pause between copies for one server

}  // namespace

RequesterProtocol::RequesterProtocol(RequesterProtocolOptions options)
    : options_(options), servers_(options.servers) {
  assert(options_.id != 0 && options_.servers <= servers_max);
}

std::uint64_t RequesterProtocol::add(Order order, TimePoint now) {
  const std::uint64_t number = ++last_number_;
  ++counts_.requested;
  ++counts_.in_flight;
  Request& request = requests_.insert(number, {.method = std::string{order.method},
                                               .payload = std::move(order.payload),
                                               .deadline = after(now, order.deadline),
                                               .event = TimePoint::max(),
                                               .attempt_until = TimePoint::max(),
                                               .hedge_at = TimePoint::max(),
                                               .sent_at = {},
                                               .allowed = order.servers,
                                               .idempotent = order.idempotent});
  tidy();
  if (order.deadline.count() <= 0) {
    finish(number, request, Outcome::expired);
  } else {
    dispatch(number, request, now);
  }
  return number;
}

void RequesterProtocol::cancel(std::uint64_t number) {
  if (Request* request = find(number)) finish(number, *request, Outcome::cancelled);
}

void RequesterProtocol::cancel_all() {
  std::vector<std::uint64_t> all;
  requests_.for_each([&](std::uint64_t number, const Request&) { all.push_back(number); });
  std::sort(all.begin(), all.end());
  for (const std::uint64_t number : all) cancel(number);
}

/// Drops what is there for requests that are finished, once it is most.
void RequesterProtocol::tidy() {
  events_.tidy(requests_.size(), [this](std::uint64_t number, TimePoint at) {
    const Request* found = find(number);
    return found != nullptr && found->event == at;
  });
  if (waiting_.size() < 2 * requests_.size() + 64) return;
  std::erase_if(waiting_, [this](std::uint64_t number) { return find(number) == nullptr; });
}

/// Gives it to a server where there is one; else it waits, or is told that there is none.
void RequesterProtocol::dispatch(std::uint64_t number, Request& request, TimePoint now) {
  const std::size_t server = choose(request.allowed & ~request.out, now);
  if (server != none) return send_to(server, number, request, now);
  if (request.out != 0) return send_copy(number, request, now);
  if (any_up(request.allowed)) return look_again(number, request, after(now, probe_pause));
  if (all_down(request.allowed) && !request.idempotent) {
    finish(number, request, Outcome::no_peer);
    return;
  }
  waiting_.push_back(number);
  look_again(number, request, TimePoint::max());
}

/// What lies on a connection comes to whoever is at its other end, or the connection is lost; what
/// a queue was given may be lost behind it. There a copy may be one too many, which a busy server
/// does once more: so the pauses double, up to a length after which one that lives may be there
/// again.
void RequesterProtocol::send_copy(std::uint64_t number, Request& request, TimePoint now) {
  std::uint64_t behind_queues = 0;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (!servers_[i].direct) behind_queues |= bit(i);
  }
  const Duration waited{(now - request.sent_at).count() >> request.doublings};
  const bool due = std::chrono::duration_cast<milliseconds>(waited) >= options_.attempt_timeout;
  const std::size_t server = due ? choose(request.out & behind_queues, now) : none;
  if (server == none) return look_again(number, request, after(now, options_.attempt_timeout));
  request.doublings = std::min<std::uint8_t>(request.doublings + 1, doublings_max);
  send_to(server, number, request, now);
}

void RequesterProtocol::look_again(std::uint64_t number, Request& request, TimePoint at) {
  request.attempt_until = at;
  request.hedge_at = TimePoint::max();
  schedule(number, request);
}

void RequesterProtocol::send_to(std::size_t server, std::uint64_t number, Request& request,
                                TimePoint now, Attempt attempt) {
  if ((request.out & bit(server)) == 0) {
    request.out |= bit(server);
    ++servers_[server].outstanding;
  }
  const bool wanted = attempt == Attempt::wanted;
  request.wanted = wanted ? request.wanted | bit(server) : request.wanted & ~bit(server);
  if (attempt == Attempt::hedged) {
    ++counts_.hedged;
  } else if (request.attempts > 0) {
    ++counts_.retried;
  }
  ++request.attempts;
  ++counts_.sent;
  request.sent_at = now;
  request.last = static_cast<std::uint8_t>(server);
  if (request.attempts == 1) {
    request.first = request.last;
    request.first_sent_at = now;
  }
  if (++servers_[server].unheard >= options_.unheard_max)
    servers_[server].probe_at = now + probe_pause;
  request.hedge_at = TimePoint::max();
  if (request.idempotent) {
    request.attempt_until = after(now, options_.attempt_timeout);
    const bool may_hedge = options_.hedge > 0 && request.attempts == 1 && servers_.size() > 1;
    if (may_hedge && latency_.p95() < options_.attempt_timeout)
      request.hedge_at = now + latency_.p95();
  }
  to_send_.push_back({server, number, false, wanted});
  schedule(number, request);
}

void RequesterProtocol::schedule(std::uint64_t number, Request& request) {
  const TimePoint at = std::min({request.deadline, request.attempt_until, request.hedge_at});
  if (at == request.event) return;
  request.event = at;
  events_.add(at, number);
}

void RequesterProtocol::on_time(TimePoint now) {
  events_.run(now, [&](std::uint64_t number, TimePoint at) {
    Request* request = find(number);
    if (request != nullptr && request->event == at) look_at(number, *request, now);
  });
}

void RequesterProtocol::look_at(std::uint64_t number, Request& request, TimePoint now) {
  request.event = TimePoint::max();
  if (request.deadline <= now) {
    mark_silent(request, now);
    finish(number, request, request.attempts == 0 ? Outcome::no_peer : Outcome::expired);
    return;
  }
  if (request.attempt_until <= now) {
    mark_silent(request, now);
    return dispatch(number, request, now);
  }
  request.hedge_at = TimePoint::max();
  const auto budget = options_.hedge * static_cast<double>(counts_.requested);
  const std::size_t server = choose(request.allowed & ~request.out, now);
  if (server == none || static_cast<double>(counts_.hedged + 1) > budget)
    return schedule(number, request);
  send_to(server, number, request, now, Attempt::hedged);
}

/// Those that have it and said nothing at all since it was sent.
void RequesterProtocol::mark_silent(const Request& request, TimePoint now) noexcept {
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    Server& server = servers_[i];
    if ((request.out & bit(i)) != 0 && server.heard < request.sent_at)
      server.silent_until = after(now, silence);
  }
}

RequesterProtocol::Finished& RequesterProtocol::finish(std::uint64_t number, Request& request,
                                                       Outcome outcome) {
  for (std::size_t i = 0; i < servers_.size() && request.out != 0; ++i) {
    if ((request.out & bit(i)) == 0) continue;
    take_back(i, request);
    if (!servers_[i].direct) continue;
    ++counts_.cancels;
    to_send_.push_back({i, number, true, false});
  }
  std::string method = std::move(request.method);
  requests_.erase(number);
  --counts_.in_flight;
  ++counts_.outcomes[static_cast<std::size_t>(outcome)];
  if (finished_size_ == finished_.size()) finished_.emplace_back();
  Finished& finished = finished_[finished_size_++];
  finished.number = number;
  finished.outcome = outcome;
  finished.status = FailureStatus::failed;
  finished.kind = 0;
  finished.method = std::move(method);
  finished.body.rebuild();
  finished.begin = 0;
  finished.further.clear();
  return finished;
}

void RequesterProtocol::take_back(std::size_t server, Request& request) noexcept {
  request.out &= ~bit(server);
  --servers_[server].outstanding;
}

void RequesterProtocol::connected(std::size_t server, TimePoint now) {
  servers_[server].state = State::up;
  servers_[server].heard = now;
  servers_[server].silent_until = {};
  for (std::deque<std::uint64_t> waiting = std::exchange(waiting_, {}); !waiting.empty();
       waiting.pop_front()) {
    Request* request = find(waiting.front());
    if (request != nullptr && request->out == 0) dispatch(waiting.front(), *request, now);
  }
}

void RequesterProtocol::unreachable(std::size_t server) {
  if (servers_[server].state == State::up) return;
  servers_[server].state = State::down;
  give_up_waiting();
}

void RequesterProtocol::disconnected(std::size_t server, TimePoint now) {
  if (servers_[server].state != State::up) return unreachable(server);
  servers_[server] = {.state = State::down, .outstanding = servers_[server].outstanding};
  std::vector<std::uint64_t> alone;
  requests_.for_each([&](std::uint64_t number, Request& request) {
    if ((request.out & bit(server)) == 0) return;
    take_back(server, request);
    if (request.out == 0) alone.push_back(number);
  });
  std::sort(alone.begin(), alone.end());
  for (const std::uint64_t number : alone) {
    Request& request = *find(number);
    if (request.idempotent) {
      dispatch(number, request, now);
    } else {
      finish(number, request, Outcome::lost);
    }
  }
  give_up_waiting();
}

void RequesterProtocol::give_up_waiting() {
  std::erase_if(waiting_, [this](std::uint64_t number) {
    Request* request = find(number);
    if (request == nullptr || request->out != 0) return true;
    if (request->idempotent || !all_down(request->allowed)) return false;
    finish(number, *request, Outcome::no_peer);
    return true;
  });
}

bool RequesterProtocol::all_down(std::uint64_t allowed) const noexcept {
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if ((allowed & bit(i)) != 0 && servers_[i].state != State::down) return false;
  }
  return true;
}

bool RequesterProtocol::any_up(std::uint64_t allowed) const noexcept {
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if ((allowed & bit(i)) != 0 && servers_[i].state == State::up) return true;
  }
  return false;
}

/// It lives as far as its connection says, and has taken nothing for so long that more would only
/// pile up. One now and then shows whether it takes something again.
bool RequesterProtocol::is_overrun(const Server& server, TimePoint now) const noexcept {
  return server.unheard >= options_.unheard_max && now < server.probe_at;
}

std::size_t RequesterProtocol::connected_servers() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(servers_.begin(), servers_.end(),
                    [](const Server& server) { return server.state == State::up; }));
}

std::size_t RequesterProtocol::choose(std::uint64_t allowed, TimePoint now) {
  const bool in_order = options_.choice == Choice::failover;
  const std::size_t first = in_order ? 0 : turn_++;
  const auto rank = [&](const Server& server) {
    return std::pair{server.silent_until > now, in_order ? 0 : server.outstanding};
  };
  std::size_t best = none;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    const std::size_t at = (first + i) % servers_.size();
    if (servers_[at].state != State::up || (allowed & bit(at)) == 0) continue;
    if (is_overrun(servers_[at], now)) continue;
    if (best == none || rank(servers_[at]) < rank(servers_[best])) best = at;
  }
  return best;
}

Frame RequesterProtocol::head_of(const Errand& errand, const Request& request,
                                 TimePoint now) const {
  const auto ms = [](Duration span) { return std::chrono::duration_cast<milliseconds>(span); };
  return encode(RequestHead{
      .key = {options_.id, errand.number},
      .left = std::min(deadline_max, std::max(ms(request.deadline - now), milliseconds{0})),
      .sent = static_cast<std::uint32_t>((ms(now.time_since_epoch()) + options_.utc).count()),
      .idempotent = request.idempotent,
      .tell_me = !servers_[errand.server].known,
      .wanted = errand.wanted,
      .method = request.method});
}

bool RequesterProtocol::next(Send& send, TimePoint now) {
  // Where they alternate between servers a batch would end with its first.
  if (options_.batch_messages > 1 && servers_.size() > 1 && sent_ == 0)
    std::stable_sort(to_send_.begin(), to_send_.end(),
                     [](const Errand& a, const Errand& b) { return a.server < b.server; });
  while (sent_ < to_send_.size()) {
    const Errand errand = to_send_[sent_++];
    const RequestKey key{options_.id, errand.number};
    send.server = errand.server;
    send.frames.clear();
    if (errand.cancel) {
      send.frames.push_back(encode(CancelHead{key}));
      send.frames.push_back(std::string_view{});
      return true;
    }
    Request* request = find(errand.number);
    if (request == nullptr || (request->out & bit(errand.server)) == 0) continue;
    send.frames.push_back(head_of(errand, *request, now));
    send.frames.push_back(std::string_view{});
    send.frames.grow().copy(request->payload);
    if (options_.batch_messages > 1 && servers_[errand.server].known) make_batch(send, key, now);
    return true;
  }
  to_send_.clear();
  sent_ = 0;
  return false;
}

/// One that is alone goes so as well, if it is small: a frame instead of three.
void RequesterProtocol::make_batch(Send& send, RequestKey first, TimePoint now) {
  if (send.frames[2].size() > batch_bytes) return;
  std::string records;
  std::uint32_t count = 1;
  append_request(records, send.frames[0], send.frames[2]);
  for (; sent_ < to_send_.size() && count < options_.batch_messages; ++sent_) {
    const Errand errand = to_send_[sent_];
    if (errand.cancel || errand.server != send.server) break;
    const Request* request = find(errand.number);
    if (request == nullptr || (request->out & bit(errand.server)) == 0) continue;
    if (records.size() + request->payload.size() > batch_bytes) break;
    append_request(records, head_of(errand, *request, now), request->payload);
    ++count;
  }
  send.frames.clear();
  send.frames.push_back(encode(BatchHead{first, count}, records));
}

bool RequesterProtocol::take(Finished& finished) {
  if (taken_ == finished_size_) {
    taken_ = finished_size_ = 0;
    return false;
  }
  finished = std::move(finished_[taken_++]);
  return true;
}

}  // namespace busbar::protocol

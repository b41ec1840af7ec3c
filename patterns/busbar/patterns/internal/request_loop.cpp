#include "busbar/patterns/internal/request_loop.hpp"

#include <algorithm>
#include <set>

#include <busbar/core/error.hpp>
#include <busbar/core/internal/random_id.hpp>
#include <busbar/patterns/internal/check_enough.hpp>

namespace busbar::detail {

using protocol::RequesterCounts;
using protocol::RequesterProtocol;
using std::chrono::milliseconds;

namespace {

constexpr int burst = 32;
/// Each look at a monitor is a system call. Its descriptor stays readable until it is read.
constexpr milliseconds monitor_pace{1};
constexpr std::uint64_t unheard_least = 1000;  // a queue may lose some, and tells nobody
constexpr milliseconds fresh{5};               // what the monitors said so lately holds

RequesterOptions checked(RequesterOptions options) {
  std::set<Endpoint> seen;
  std::erase_if(options.connect, [&](const Endpoint& one) { return !seen.insert(one).second; });
  const std::size_t servers = options.connect.size();
  if (servers == 0 || servers > RequesterProtocol::servers_max) {
    throw Error(ErrorKind::usage, "requester '" + options.name + "'",
                "it has " + std::to_string(servers) + " servers to connect to",
                "give 1 to 64; a queue may stand before more of them");
  }
  const auto check = [&](bool good, const char* cause, const char* remedy) {
    if (!good) throw Error(ErrorKind::usage, "requester '" + options.name + "'", cause, remedy);
  };
  check(options.deadline.count() > 0, "its deadline is not above 0", "give its requests time");
  check(options.attempt_timeout.count() > 0, "attempt_timeout is below 1 ms", "raise it");
  check(options.hedge >= 0 && options.hedge <= 1, "hedge is no share of all requests",
        "give 0 to 1, 0.05 for five in a hundred");
  check(options.batch_messages >= 1 && options.batch_messages <= protocol::batch_max,
        "batch_messages is 0 or above 1000", "give 1 to 1000");
  check(options.batch_messages == 1 || options.wire == RequestWire::busbar,
        "the Freelance protocol has no batches", "leave batch_messages out");
  check(options.in_flight_max > 0, "in_flight_max is 0", "allow one request at least");
  return options;
}

}  // namespace

RequestLoop::RequestLoop(Context& context, RequesterOptions options)
    : context_(context),
      options_(checked(std::move(options))),
      protocol_({.id = random_id(),
                 .servers = options_.connect.size(),
                 .choice = options_.choice,
                 .attempt_timeout = options_.attempt_timeout,
                 .unheard_max = std::max<std::uint64_t>(options_.in_flight_max, unheard_least),
                 .hedge = options_.hedge,
                 .batch_messages = options_.batch_messages,
                 .utc = utc_offset(context.clock().now())}) {
  links_ = ServerLinks::create(context,
                               {.name = options_.name,
                                .servers = options_.connect,
                                .security = options_.security,
                                .wire = options_.wire},
                               ServerLinks::Events{.connected =
                                                       [this](std::size_t server) {
                                                         news_ = true;
                                                         protocol_.connected(server, now());
                                                       },
                                                   .disconnected =
                                                       [this](std::size_t server) {
                                                         news_ = true;
                                                         protocol_.disconnected(server, now());
                                                       },
                                                   .unreachable =
                                                       [this](std::size_t server) {
                                                         news_ = true;
                                                         protocol_.unreachable(server);
                                                       }});
}

/// What can be said without asking anyone.
std::optional<RequestLoop::Finished> RequestLoop::fault_of(std::string_view method,
                                                           std::string_view payload) const {
  std::string reason;
  if (method.size() > protocol::method_bytes) reason = "a method has at most 240 bytes";
  if (payload.size() > limits::message_bytes) reason = "a payload has at most 64 MiB";
  const std::uint64_t in_flight = protocol_.counts().in_flight;
  if (in_flight >= options_.in_flight_max)
    reason = std::to_string(in_flight) + " requests are unanswered (in_flight_max)";
  if (reason.empty()) return std::nullopt;
  return Finished{.outcome = Outcome::refused,
                  .status = protocol::FailureStatus::refused,
                  .method = std::string{method.substr(0, protocol::method_bytes)},
                  .body = Frame{reason.data(), reason.size()}};
}

/// What is known of the servers should not be older than a request. Throws where it was stopped.
TimePoint RequestLoop::look_up() {
  const TimePoint at = now();
  if (links_ && !leading_ && at > turned_at_ + fresh) turn(at);
  if (links_ && !leave_at_) return at;
  after_call();
  throw Error(ErrorKind::usage, "request on '" + options_.name + "'", "it was stopped");
}

std::uint64_t RequestLoop::request(std::string_view method, std::string_view payload,
                                   const RequestOptions& options, Requester::Callback callback) {
  const Lock lock{mutex_};
  const TimePoint at = look_up();
  if (auto fault = fault_of(method, payload)) return refuse(std::move(*fault), std::move(callback));
  const std::uint64_t number = protocol_.add({.method = method,
                                              .payload = Frame{payload.data(), payload.size()},
                                              .deadline = deadline_of(options.deadline),
                                              .idempotent = options.idempotent},
                                             at);
  if (callback) ++callbacks_;
  slots_.insert(number, {.callback = std::move(callback)});
  if (protocol_.counts().in_flight <= 1 || ++gathered_ >= options_.batch_messages) carry(at);
  after_call();
  return number;
}

/// Under a number that the protocol will never come to.
std::uint64_t RequestLoop::refuse(Finished fault, Requester::Callback callback) {
  const std::uint64_t number = UINT64_MAX - refused_++;
  fault.number = number;
  if (callback) ++callbacks_;
  slots_.insert(number, {.callback = std::move(callback)});
  settle(std::move(fault));
  after_call();
  return number;
}

/// One request to each server that is there.
std::vector<std::pair<std::size_t, std::uint64_t>> RequestLoop::survey(
    std::string_view method, std::string_view payload, std::optional<milliseconds> deadline) {
  const Lock lock{mutex_};
  const TimePoint at = look_up();
  std::vector<std::pair<std::size_t, std::uint64_t>> asked;
  for (std::size_t i = 0; i < options_.connect.size(); ++i) {
    if (!protocol_.is_connected(i)) continue;
    if (auto fault = fault_of(method, payload)) {
      asked.emplace_back(i, refuse(std::move(*fault), {}));
      continue;
    }
    asked.emplace_back(i, protocol_.add({.method = method,
                                         .payload = Frame{payload.data(), payload.size()},
                                         .deadline = deadline_of(deadline),
                                         .servers = std::uint64_t{1} << i},
                                        at));
    slots_.insert(asked.back().second, {});
  }
  carry(at);
  after_call();
  return asked;
}

/// Sends what is to be sent, and hands out what is finished. False: there was nothing. Where the
/// context was stopped it is the end.
bool RequestLoop::carry(TimePoint at) {
  gathered_ = 0;
  bool something = false;
  try {
    for (; protocol_.next(send_, at); something = true) links_->send(send_.server, send_.frames);
  } catch (const Error&) {
    end();
  }
  for (; protocol_.take(finished_); something = true) settle(std::move(finished_));
  return something;
}

void RequestLoop::settle(Finished&& finished) {
  Slot* slot = slots_.find(finished.number);
  if (slot == nullptr) return;  // nobody wants it
  if (finished.outcome == Outcome::no_peer && links_) {
    const std::string reason = links_->trouble().text();
    finished.body = Frame{reason.data(), reason.size()};
  }
  if (!slot->callback) {
    slot->reply.emplace(std::move(finished));
    return;
  }
  const std::uint64_t number = finished.number;
  calls_.push_back({std::move(slot->callback), Reply{std::move(finished)}});
  readable_.show(true);
  slots_.erase(number);
  --callbacks_;
}

/// False: nothing came, was sent or finished, and no server came or went; then nothing was asked of
/// a socket since it had nothing more to receive. Where the context was stopped it is the end.
bool RequestLoop::turn(TimePoint at) {
  ++turns_;
  turned_at_ = at;
  int received = 0;
  try {
    if (at >= maintain_at_ || at >= maintained_at_ + monitor_pace) {
      maintain_at_ = links_->maintain();
      maintained_at_ = at;
    }
    std::size_t from = 0;
    for (; received < burst && links_->receive(from, frames_); ++received)
      protocol_.on_message(from, frames_, at);
  } catch (const Error&) {
    end();
    return true;
  }
  if (protocol_.next_deadline() <= at) protocol_.on_time(at);
  const bool carried = carry(at);
  return std::exchange(news_, false) || carried || received > 0;
}

/// At the end of whatever another thread than the leader did with the mutex held.
void RequestLoop::after_call() {
  if (followers_ > 0) changed_.notify_all();
  if (sleeping_ && links_ &&
      (gathered_ > 0 || links_->readable() || protocol_.next_deadline() < sleeps_until_ ||
       calls_due())) {
    sleeping_ = false;
    wake_.signal();
  }
  if (links_) links_->release();
  if (resting_ || (calls_due() && !serving_)) {
    resting_ = false;
    work_.notify_one();
  }
}

/// One turn, and a wait where it brought nothing.
void RequestLoop::lead(Lock& lock, TimePoint until) {
  leading_ = true;
  if (!turn(now()) && !calls_due()) sleep(lock, until);
  leading_ = false;
  after_call();
}

void RequestLoop::sleep(Lock& lock, TimePoint until) {
  until = std::min({until, maintain_at_, protocol_.next_deadline()});
  poll_.start();
  links_->add_to(poll_);
  poll_.add(wake_.descriptor());
  links_->release();
  sleeping_ = true;
  sleeps_until_ = until;
  lock.unlock();
  const bool open = poll_.wait(left_until(until, now()));
  lock.lock();
  if (!std::exchange(sleeping_, false)) wake_.clear();
  if (!open) end();
}

/// Waits until something changed while another thread leads.
void RequestLoop::follow(Lock& lock, TimePoint until) {
  // The loop's own thread gives way, unless there are callbacks to be called.
  if (serving_ && callbacks_ == 0 && std::exchange(sleeping_, false)) wake_.signal();
  ++followers_;
  changed_.wait_for(lock, left_until(until, now()));
  --followers_;
}

bool RequestLoop::wait(std::uint64_t number, milliseconds timeout) {
  Lock lock{mutex_};
  const auto is_over = [&] {
    const Slot* slot = slots_.find(number);
    return slot == nullptr || slot->reply || !links_;
  };
  if (is_over()) return true;
  const TimePoint until = after(now(), timeout);
  for (bool looked = false; !is_over();) {
    if (now() >= until && looked) return false;
    looked = true;
    if (leading_) {
      follow(lock, until);
    } else if (timeout.count() == 0) {
      turn(now());
      after_call();
    } else {
      lead(lock, until);
    }
  }
  return true;
}

Reply RequestLoop::take(std::uint64_t number) {
  const Lock lock{mutex_};
  Slot* slot = slots_.find(number);
  if (slot == nullptr || !slot->reply) return {};
  Reply reply = std::move(*slot->reply);
  slots_.erase(number);
  return reply;
}

void RequestLoop::cancel(std::uint64_t number) {
  const Lock lock{mutex_};
  if (!links_) return;
  protocol_.cancel(number);
  carry(now());
  after_call();
}

void RequestLoop::forget(std::uint64_t number) noexcept {
  cancel(number);
  const Lock lock{mutex_};
  if (slots_.find(number) != nullptr) slots_.erase(number);
}

void RequestLoop::wait_for_servers(std::size_t count, milliseconds timeout) {
  Lock lock{mutex_};
  const TimePoint until = after(now(), timeout);
  while (protocol_.connected_servers() < count && links_ && now() < until) {
    if (leading_) {
      follow(lock, until);
    } else {
      lead(lock, until);
    }
  }
  check_enough("wait for servers of '" + options_.name + "'", protocol_.connected_servers(), count,
               timeout, !links_, "start them, or allow more time",
               links_ ? links_->trouble().text() : "");
}

RequesterLedger RequestLoop::ledger() const {
  const Lock lock{mutex_};
  const RequesterCounts& counts = protocol_.counts();
  const auto of = [&](Outcome one) { return counts.outcomes[static_cast<std::size_t>(one)]; };
  RequesterLedger ledger{.requested = counts.requested + refused_,
                         .replied = of(Outcome::replied),
                         .failed = of(Outcome::failed),
                         .refused = of(Outcome::refused) + refused_,
                         .expired = of(Outcome::expired),
                         .no_peer = of(Outcome::no_peer),
                         .lost = of(Outcome::lost),
                         .cancelled = of(Outcome::cancelled),
                         .in_flight = counts.in_flight,
                         .sent = counts.sent,
                         .retried = counts.retried,
                         .hedged = counts.hedged,
                         .cancels = counts.cancels,
                         .late = counts.late,
                         .malformed = counts.malformed,
                         .servers = protocol_.connected_servers()};
  if (links_) {
    ledger.handshake_failure = links_->trouble().handshake_failure;
    ledger.unresolved = links_->trouble().unresolved;
  }
  return ledger;
}

}  // namespace busbar::detail

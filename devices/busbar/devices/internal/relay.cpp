#include "busbar/devices/internal/relay.hpp"

#include <algorithm>

#include <busbar/core/error.hpp>
#include <busbar/devices/internal/broker_lane.hpp>
#include <busbar/devices/internal/credit_lane.hpp>
#include <busbar/devices/internal/relay_setup.hpp>

namespace busbar::detail {

using std::chrono::milliseconds;

namespace {

constexpr std::size_t burst = 1000;  // messages before the other direction has its turn
constexpr milliseconds tick{50};     // between two looks at the connections, where they have news
// After a stop, for peers that read what was sent to them; one that does not must not be waited
// for. A stop has 100 ms in all, with what it takes to count what is abandoned.
constexpr milliseconds at_once{30};
// Where a full output cannot be polled. Its descriptor tells of room, unless another call took the
// news: so soon at first, and less and less often.
constexpr milliseconds first_retry{1};
constexpr milliseconds longest_retry{50};

}  // namespace

std::shared_ptr<Relay> Relay::create(Context& context, DeviceKind kind,
                                     std::vector<DeviceOptions> chain) {
  return std::make_shared<Relay>(context, kind, std::move(chain));
}

Relay::Relay(Context& context, DeviceKind kind, std::vector<DeviceOptions> chain)
    : context_(context),
      drain_timeout_(chain.front().drain_timeout),
      frontend_queue_(chain.front().frontend.queue),
      frontend_bounded_(is_bounded(chain.front().frontend)),
      hops_(make_hops(context, kind, chain)),
      forward_(Direction::forward, hops_, forward_overflow(kind, chain.back()),
               kind == DeviceKind::forwarder),
      retry_(first_retry) {
  const DeviceOptions& first = chain.front();
  const DeviceOptions& last = chain.back();
  frontend_.emplace(open_side(context, kind, first, Side::frontend, hops_.front()->name));
  if (has_backend(kind)) {
    backend_.emplace(open_side(context, kind, last, Side::backend, hops_.back()->name));
  }
  if (first.credit) {
    protocol_ = std::make_unique<CreditLane>(hops_, first, last, *frontend_, *backend_);
  } else if (knows_workers(kind, last)) {
    protocol_ = std::make_unique<BrokerLane>(*hops_.front(), last, *frontend_,
                                             backend_ ? &*backend_ : nullptr);
  } else if (kind == DeviceKind::queue) {
    backward_.emplace(Direction::backward, hops_, chain.front().overflow.value_or(Overflow::drop),
                      false);
  }
  if (kind == DeviceKind::forwarder) {
    subscriptions_.emplace(hops_);
    backend_->on_event(
        [this](const SocketEvent& event) { hops_.back()->subscribers.on_event(event); });
    subscriptions_->take_all_for_caches(frontend_->raw().handle());
    frontend_->release();  // to whoever steps
  }

  frontend_bound_ = frontend_->bound();
  if (backend_) backend_bound_ = backend_->bound();
  for (const auto& hop : hops_) {
    control_bound_.push_back(hop->control ? std::optional(hop->control->bound()) : std::nullopt);
    tap_bound_.push_back(hop->tap ? std::optional(hop->tap->bound()) : std::nullopt);
  }
}

Relay::~Relay() = default;

std::string Relay::name() const {
  std::string joined = hops_.front()->name;
  for (std::size_t i = 1; i < hops_.size(); ++i) joined += "+" + hops_[i]->name;
  return joined;
}

bool Relay::step(milliseconds wait) {
  if (!frontend_) return false;
  try {
    take_commands();
    if (state_.phase() != Phase::stopped && !poll(wait)) state_.stop();
    if (state_.moves() || (protocol_ && state_.phase() == Phase::paused)) move_messages();
    if (state_.phase() != Phase::stopped) {
      serve_control();
      maintain(std::chrono::steady_clock::now());
    }
  } catch (...) {
    finish();
    throw;
  }
  if (state_.phase() == Phase::stopped) finish();
  return frontend_.has_value();
}

bool Relay::poll(milliseconds wait) {
  const bool moves = state_.moves();
  const bool holds = forward_.holds();
  const bool holds_back = backward_ && backward_->holds();
  const bool output_says_so = !subscriptions_;  // XPUB always says that it is writable
  const bool reads_back = (backward_ || subscriptions_ || protocol_) && !holds_back;
  const bool reads_front = !holds && (!protocol_ || protocol_->reads());

  const bool retry_back = moves && (holds || forward_.holds_answer()) && !output_says_so;
  const bool retry_front = moves && holds_back;  // a ROUTER never says so
  const int front = moves && reads_front ? ZMQ_POLLIN : 0;
  const int back =
      !moves ? 0 : (holds && output_says_so ? ZMQ_POLLOUT : 0) | (reads_back ? ZMQ_POLLIN : 0);
  if (moves && forward_.has_answers()) wait = milliseconds{0};

  poll_.start();
  poll_.add(wake_.descriptor());
  for (const auto& hop : hops_) {
    if (hop->control) poll_.add(hop->control->handle(), ZMQ_POLLIN);
  }
  // Even with no events to wait for: a stopped context shows at them.
  const auto watch = [this](Socket& socket, int events, bool retry) {
    void* const handle = socket.raw().handle();
    if (retry) {
      poll_.add_unasked(handle);
    } else {
      poll_.add(handle, events);
    }
  };
  watch(*frontend_, front, retry_front);
  if (backend_) watch(*backend_, back, retry_back);
  const std::size_t connections = poll_.size();
  if (!may_have_news_) watch_connections();
  const bool open = poll_.wait(longest_wait(wait, retry_back || retry_front));
  may_have_news_ = may_have_news_ || poll_.may_have_news(connections);
  return open;
}

milliseconds Relay::longest_wait(milliseconds wait, bool retries) {
  if (retries) wait = std::min(wait, retry_);
  retry_ = retries ? std::min(2 * retry_, longest_retry) : first_retry;
  TimePoint due = std::min(maintain_at_, state_.next_deadline());
  if (may_have_news_) due = std::min(due, maintained_at_ + tick);
  const bool has_cache = std::any_of(hops_.begin(), hops_.end(),
                                     [](const auto& hop) { return hop->cache != nullptr; });
  if (has_cache) wait = std::min(wait, tick);
  wait = std::min(wait, left_until(due, std::chrono::steady_clock::now()));
  if (!protocol_) return wait;
  return std::min(wait, left_until(protocol_->next_deadline(), context_.clock().now()));
}

/// By their descriptors only: nobody but `maintain` uses their monitors.
void Relay::watch_connections() {
  poll_.add_unasked(frontend_->monitor().handle());
  if (backend_) poll_.add_unasked(backend_->monitor().handle());
  for (const auto& hop : hops_) hop->add_to(poll_);
}

void Relay::move_messages() {
  void* const front = frontend_->raw().handle();
  void* const back = backend_ ? backend_->raw().handle() : nullptr;
  const std::scoped_lock lock(books_);
  Round round;
  const std::uint64_t requests_before = hops_.back()->backend.sent;
  if (protocol_) {
    if (state_.phase() == Phase::draining) protocol_->close();
    round.read = protocol_->burst(context_.clock().now(), burst, state_.moves());
    replies_due_ = protocol_->replies_due();
  } else {
    round.read = forward_.burst(front, back, burst);
  }
  if (backward_) {
    replies_due_ += hops_.back()->backend.sent - requests_before;
    // What a worker sends unasked pays no debt.
    replies_due_ -= std::min<std::uint64_t>(replies_due_, backward_->burst(back, front, burst));
  }
  if (subscriptions_) {
    subscriptions_->burst(back, front, burst);
    forward_.send_answers(back, std::chrono::steady_clock::now());
  }
  may_have_news_ = may_have_news_ || hops_.back()->has_overflowed();
  if (state_.phase() != Phase::draining) return;

  round.holds = forward_.holds() || forward_.holds_answer() || (protocol_ && protocol_->holds()) ||
                (backward_ && backward_->holds());
  round.replies_due = replies_due_;
  state_.after_round(round, std::chrono::steady_clock::now());
}

void Relay::take_commands() {
  if (!has_posted_.exchange(false)) return;
  wake_.clear();
  std::vector<Posted> posted;
  {
    const std::scoped_lock lock(posted_mutex_);
    posted.swap(posted_);
  }
  for (const Posted& one : posted) carry_out(one.command, one.deadline);
}

std::optional<std::uint64_t> Relay::backlog() const {
  if (!frontend_bounded_ || protocol_) return std::nullopt;
  const auto connected = [](const PeerInfo& peer) { return peer.connected; };
  const auto& peers = frontend_->peers();
  const auto sources = std::count_if(peers.begin(), peers.end(), connected) + 1;
  return static_cast<std::uint64_t>(sources) * static_cast<std::uint64_t>(frontend_queue_);
}

void Relay::carry_out(control::Command command, milliseconds deadline) {
  switch (command) {
    case control::Command::status:
      return;
    case control::Command::pause:
      state_.pause();
      break;
    case control::Command::resume:
      state_.resume();
      break;
    case control::Command::stop:
      state_.stop();
      linger_ = at_once;
      break;
    case control::Command::drain:
      state_.drain(std::chrono::steady_clock::now(), deadline, backlog());
      break;
  }
  const std::scoped_lock lock(books_);
  state_name_ = name_of(state_.phase());
  const bool ends = command == control::Command::stop || command == control::Command::drain;
  if (ends && !asked_to_end_) asked_to_end_ = std::chrono::steady_clock::now();
}

void Relay::serve_control() {
  for (std::size_t device = 0; device < hops_.size(); ++device) {
    ControlServer* server = hops_[device]->control.get();
    if (server == nullptr) continue;
    server->serve([&](const control::Request& request,
                      ControlServer::Envelope& envelope) -> std::optional<control::Reply> {
      const milliseconds deadline = request.deadline.value_or(drain_timeout_);
      carry_out(request.command, deadline);
      const bool ends =
          request.command == control::Command::drain || request.command == control::Command::stop;
      if (ends) {
        // The answer is the final ledger.
        pending_.push_back({server, std::move(envelope), device});
        return std::nullopt;
      }
      return control::Reply{control::Status::ok, {}, {ledgers()[device]}};
    });
  }
}

void Relay::maintain(TimePoint now) {
  if (now < maintain_at_ && !(may_have_news_ && now >= maintained_at_ + tick)) return;
  maintained_at_ = now;
  may_have_news_ = false;
  TimePoint next = frontend_->maintain();
  if (backend_) next = std::min(next, backend_->maintain());
  for (const auto& hop : hops_) next = std::min(next, hop->maintain());
  // In the context's clock, which a test may hold.
  maintain_at_ = after(now, left_until(next, context_.clock().now()));

  const std::scoped_lock lock(books_);
  hops_.back()->look_for_slow_peers();
  peers_.clear();
  for (const auto& [socket, side] :
       {std::pair{&frontend_, "frontend"}, std::pair{&backend_, "backend"}}) {
    if (!*socket) continue;
    for (const PeerInfo& peer : (*socket)->peers()) {
      peers_.push_back(peer);
      peers_.back().side = side;
    }
  }
}

void Relay::finish() {
  {
    const std::scoped_lock lock(books_);
    if (protocol_) remains_ = protocol_->remains();
    abandoned_ = protocol_ ? protocol_->leave() : forward_.abandon(frontend_->raw().handle());
    if (backward_) abandoned_ += backward_->abandon(backend_->raw().handle());
    const bool drained = state_.deadline() != TimePoint::max();
    unanswered_ = drained ? replies_due_ : 0;
    state_name_ = name_of(Phase::stopped);
    const TimePoint now = std::chrono::steady_clock::now();
    took_ = std::chrono::duration_cast<milliseconds>(now - asked_to_end_.value_or(now));
  }
  const std::vector<Ledger> final_ledgers = ledgers();
  for (Pending& pending : pending_) {
    pending.server->answer(pending.envelope,
                           {control::Status::ok, {}, {final_ledgers[pending.device]}});
  }
  for (const auto& hop : hops_) {
    hop->control.reset();
    hop->tap.reset();
  }
  // Waited for: until its connections are cut, a peer would go on sending to nobody.
  const auto left = [&] {
    const auto now = std::chrono::steady_clock::now();
    return std::min(left_until(state_.deadline(), now), linger_);
  };
  frontend_->close(left());
  frontend_.reset();
  // So that those behind it have all; where the time is up, in the background.
  if (backend_ && (linger_ == at_once || left() > at_once)) backend_->close(left());
  backend_.reset();
}

void Relay::command(control::Command command, milliseconds deadline) {
  {
    const std::scoped_lock lock(posted_mutex_);
    posted_.push_back({command, deadline});
  }
  // In this order: whoever sees the flag can take the wake-up, so none is left to poll for.
  wake_.signal();
  has_posted_ = true;
}

void Relay::request_stop(milliseconds deadline) noexcept {
  command(deadline.count() > 0 ? control::Command::drain : control::Command::stop, deadline);
}

std::vector<Ledger> Relay::ledgers() const {
  const std::scoped_lock lock(books_);
  std::vector<Ledger> result;
  for (const auto& hop : hops_) result.push_back(hop->ledger(state_name_));
  for (const PeerInfo& peer : peers_) {
    (peer.side == "frontend" ? result.front() : result.back()).peers.push_back(peer);
  }
  return result;
}

StopReport Relay::report() const {
  const std::scoped_lock lock(books_);
  StopReport report;
  report.took = took_;
  report.abandoned = abandoned_;
  report.clean = abandoned_ == 0 && unanswered_ == 0;
  report.remains = remains_;
  if (unanswered_ > 0) {
    report.remains.push_back(std::to_string(unanswered_) +
                             (unanswered_ == 1 ? " request" : " requests") + " without a reply");
  }
  return report;
}

}  // namespace busbar::detail

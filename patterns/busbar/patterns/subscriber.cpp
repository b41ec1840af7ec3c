#include "busbar/patterns/subscriber.hpp"

#include <algorithm>
#include <atomic>

#include <busbar/core/error.hpp>
#include <busbar/core/internal/random_id.hpp>
#include <busbar/core/internal/socket_poll.hpp>
#include <busbar/core/internal/wake.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/patterns/internal/engine.hpp>
#include <busbar/patterns/internal/subscriber_protocol.hpp>
#include <busbar/patterns/internal/watch.hpp>

namespace busbar {

using std::chrono::milliseconds;

namespace {

constexpr int burst = 1000;  // ZeroMQ messages read before what is there is handed over

Socket open_socket(Context& context, const SubscriberOptions& options) {
  detail::require_endpoint("make a subscriber", options);
  return Socket(context, SocketType::sub,
                {.name = options.name,
                 .bind = options.bind,
                 .connect = options.connect,
                 .security = options.security,
                 .receive_queue = options.queue});
}

}  // namespace

struct Subscriber::State {
  State(Context& context, const SubscriberOptions& options)
      : socket(open_socket(context, options)),
        protocol({.inbox = detail::random_id(),
                  .recover = options.recover,
                  .waiting_messages = options.waiting_messages,
                  .waiting_bytes = options.waiting_bytes}) {
    socket.on_event([this](const SocketEvent& event) {
      if (event.kind == SocketEvent::Kind::not_resolved) unresolved = event.cause;
      if (event.kind == SocketEvent::Kind::connected) unresolved.clear();
    });
  }

  /// What can be had without reading, until the next call. Null: nothing.
  const Message* next();
  /// As Subscriber::receive, without a copy.
  const Message* await(milliseconds timeout);
  /// Reads what is there, and does what is due. False: nothing came.
  bool read();
  void change_subscriptions();
  void wait(milliseconds longest);
  /// Has `fd` tell of what is left, or of what time alone will bring.
  void ring(bool idle);
  [[noreturn]] void throw_not_ready(std::size_t publishers, milliseconds timeout) const;
  TimePoint next_deadline() const { return std::min(protocol.next_deadline(), maintain_at); }

  Socket socket;
  detail::SubscriberProtocol protocol;
  detail::Wake stop;
  std::atomic<bool> stopped = false;
  std::function<void(const Gap&)> gap_handler;
  std::string unresolved;
  std::optional<Message> current;
  Multipart frames;
  detail::SocketPoll poll;
  TimePoint maintain_at{};
  std::optional<detail::Watch> watch;  ///< Where `fd` was asked for.
};

const Message* Subscriber::State::next() {
  while (auto* event = protocol.next()) {
    if (auto* arrival = std::get_if<detail::Arrival>(event)) {
      if (arrival->next(current)) return &*current;
      protocol.counts().malformed += arrival->rest();
      protocol.counts().delivered -= arrival->rest();
      protocol.done();
    } else {
      const Gap gap = std::move(std::get<Gap>(*event));
      protocol.done();
      if (gap_handler) gap_handler(gap);
    }
  }
  return nullptr;
}

bool Subscriber::State::read() {
  TimePoint now = std::chrono::steady_clock::now();
  int read = 0;
  while (read < burst && !protocol.has_much() && socket.receive(frames)) {
    protocol.receive(frames, now);
    ++read;
  }
  protocol.tick(now);
  change_subscriptions();
  if (read == 0 || now >= maintain_at) maintain_at = socket.maintain();
  return read > 0;
}

void Subscriber::State::change_subscriptions() {
  while (const auto change = protocol.next_change()) {
    const auto prefix = TopicPattern::raw_prefix(change->topic);
    change->on ? socket.subscribe(prefix) : socket.unsubscribe(prefix);
  }
}

void Subscriber::State::wait(milliseconds longest) {
  const auto left = left_until(next_deadline(), std::chrono::steady_clock::now());
  poll.start();
  poll.add(stop.descriptor());
  poll.add(socket.monitor().handle(), ZMQ_POLLIN);
  poll.add(socket.raw().handle(), ZMQ_POLLIN);
  if (!poll.wait(std::min(longest, left))) stopped = true;
}

void Subscriber::State::ring(bool idle) {
  if (!watch) return;
  const TimePoint now = std::chrono::steady_clock::now();
  watch->ring(idle ? next_deadline() : now, now);
}

Subscriber::Subscriber(Context& context, SubscriberOptions options)
    : state_(std::make_unique<State>(context, options)) {
  state_->socket.release();
}
Subscriber::Subscriber(Subscriber&&) noexcept = default;
Subscriber& Subscriber::operator=(Subscriber&&) noexcept = default;
Subscriber::~Subscriber() = default;

void Subscriber::subscribe(const TopicPattern& pattern) {
  state_->protocol.subscribe(pattern);
  state_->change_subscriptions();
  state_->ring(false);  // it may have to be announced again
}

void Subscriber::unsubscribe(const TopicPattern& pattern) {
  state_->protocol.unsubscribe(pattern);
  state_->change_subscriptions();
}

void Subscriber::wait_ready(std::size_t publishers, milliseconds timeout) {
  detail::SubscriberProtocol& protocol = state_->protocol;
  protocol.expect(publishers);
  const TimePoint deadline = after(std::chrono::steady_clock::now(), timeout);
  bool over = false;
  while (!protocol.is_ready(publishers) && !over) {
    const bool came = state_->read();
    const TimePoint now = std::chrono::steady_clock::now();
    over = now >= deadline || state_->stopped || protocol.has_much();
    if (!came && !over && !protocol.is_ready(publishers)) state_->wait(left_until(deadline, now));
  }
  protocol.expect(1);
  state_->ring(false);
  if (!protocol.is_ready(publishers)) state_->throw_not_ready(publishers, timeout);
}

void Subscriber::State::throw_not_ready(std::size_t publishers, milliseconds timeout) const {
  const std::string operation = "wait until '" + socket.name() + "' is ready";
  if (stopped) throw Error(ErrorKind::usage, operation, "it was stopped", "make another one");
  const std::string who =
      publishers <= 1 ? "no publisher has" : "fewer than " + std::to_string(publishers) + " have";
  if (protocol.has_much()) {
    throw Error(ErrorKind::timeout, operation,
                who +
                    " answered before what came meanwhile reached waiting_messages or "
                    "waiting_bytes",
                "receive it, and wait again");
  }
  throw Error(ErrorKind::timeout, operation,
              who + " answered after " + std::to_string(timeout.count()) + " ms",
              "start one; stock publishers never answer");
}

bool Subscriber::is_ready() const noexcept { return state_->protocol.is_ready(); }

const Message* Subscriber::State::await(milliseconds timeout) {
  if (const Message* message = next()) return message;
  TimePoint deadline = TimePoint::min();
  while (!stopped) {
    const bool came = read();
    if (const Message* message = next()) return message;  // a gap may have been given up
    const TimePoint now = std::chrono::steady_clock::now();
    if (deadline == TimePoint::min()) deadline = after(now, timeout);
    if (came && (now < deadline || timeout.count() == 0)) continue;
    if (now >= deadline) break;
    wait(left_until(deadline, now));
  }
  return nullptr;
}

std::optional<Message> Subscriber::receive(milliseconds timeout) {
  const Message* const message = state_->await(timeout);
  return message == nullptr ? std::nullopt : std::optional{*message};
}

Subscriber::Messages Subscriber::messages(milliseconds timeout) {
  const Messages::Next next = [](Subscriber& subscriber, milliseconds wait) {
    return subscriber.state_->await(wait);
  };
  return {*this, next, timeout};
}

void Subscriber::run(const std::function<void(const Message&)>& handler) {
  for (const Message& message : messages()) handler(message);
}

void Subscriber::stop() noexcept {
  state_->stopped = true;
  state_->stop.signal();
}

bool Subscriber::stopped() const noexcept { return state_->stopped; }

void Subscriber::on_gap(std::function<void(const Gap&)> handler) {
  state_->gap_handler = std::move(handler);
}

int Subscriber::fd() {
  if (state_->watch) return state_->watch->descriptor();
  state_->watch.emplace();
  state_->watch->add(state_->stop.descriptor());
  state_->watch->add(state_->socket.raw().get(zmq::sockopt::fd));
  state_->watch->add(state_->socket.monitor().get(zmq::sockopt::fd));
  drain([](const Message&) {}, 0);  // rings
  return state_->watch->descriptor();
}

std::size_t Subscriber::drain(const std::function<void(const Message&)>& handler,
                              std::size_t most) {
  std::size_t handed = 0;
  bool idle = false;
  try {
    while (handed < most && !idle && !state_->stopped) {
      if (const Message* message = state_->next()) {
        handler(*message);
        ++handed;
      } else {
        // Without news, time alone may have brought something.
        idle = !state_->read() && state_->protocol.next() == nullptr &&
               !(state_->next_deadline() <= std::chrono::steady_clock::now());
      }
    }
  } catch (...) {
    state_->ring(false);
    throw;
  }
  state_->ring(idle);
  return handed;
}

const std::vector<Endpoint>& Subscriber::bound() const noexcept { return state_->socket.bound(); }

SubscriberLedger Subscriber::ledger() const {
  const detail::SubscriberCounts& counts = state_->protocol.counts();
  const std::uint64_t refused = state_->socket.refused();
  return {.received = counts.received + refused,
          .delivered = counts.delivered,
          .duplicates = counts.duplicates,
          .unwanted = counts.unwanted,
          .malformed = counts.malformed + refused,
          .waiting = counts.waiting,
          .recovered = counts.recovered,
          .lost = counts.lost,
          .peers = state_->socket.peers(),
          .unresolved = state_->unresolved};
}

}  // namespace busbar

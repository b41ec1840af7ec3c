#include "busbar/patterns/buffered_subscriber.hpp"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include <busbar/core/error.hpp>
#include <busbar/core/internal/socket_poll.hpp>
#include <busbar/patterns/internal/message_buffer.hpp>
#include <busbar/patterns/internal/thrown_by.hpp>

namespace busbar {

using std::chrono::milliseconds;

namespace {

constexpr std::size_t burst = 1000;  // messages between two looks of whoever waits
constexpr std::chrono::hours longest_rest{24};

void check(const BufferOptions& options) {
  const char* const cause = options.patterns.empty() ? "nothing is subscribed to"
                            : options.messages == 0 || options.bytes == 0
                                ? "a buffer of 0 holds nothing"
                                : nullptr;
  if (cause == nullptr) return;
  throw Error(ErrorKind::usage, "make a buffered subscriber", cause,
              "give patterns, and bounds above 0");
}

}  // namespace

struct BufferedSubscriber::State {
  State(Context& context, SubscriberOptions options, BufferOptions buffered)
      : home(context),
        name(options.name),
        subscriber(context, std::move(options)),
        patterns(std::move(buffered.patterns)),
        buffer(buffered.when_full, buffered.messages, buffered.bytes),
        thread([this] { run(); }) {}

  void run();
  void read_on();
  void tell(const Gap& gap);
  bool wait_for(std::unique_lock<std::mutex>& lock, milliseconds timeout, auto condition) {
    const TimePoint deadline = after(std::chrono::steady_clock::now(), timeout);
    return changed.wait_until(lock, deadline, condition);
  }

  Context home;
  const std::string name;
  Subscriber subscriber;  ///< The thread's, but for stop.
  std::vector<TopicPattern> patterns;
  mutable std::mutex mutex;  ///< Guards what follows.
  std::condition_variable changed;
  detail::MessageBuffer buffer;
  SubscriberLedger ledger;
  std::function<void(const Gap&)> gap_handler;
  bool ready = false;
  bool stopped = false;
  std::thread thread;  ///< Last: it uses all of the above.
};

void BufferedSubscriber::State::run() {
  try {
    read_on();
  } catch (const std::exception& error) {  // the context was stopped, or no descriptor is left
    home.log(LogLevel::warning, "'" + name + "' has stopped: " + error.what());
  }
  const std::scoped_lock lock(mutex);
  stopped = true;
  changed.notify_all();
}

void BufferedSubscriber::State::read_on() {
  subscriber.on_gap([this](const Gap& gap) { tell(gap); });
  for (const TopicPattern& pattern : patterns) subscriber.subscribe(pattern);
  std::vector<Message> read;
  const std::function<void(const Message&)> keep = [&](const Message& message) {
    read.push_back(message);
  };
  detail::SocketPoll poll;
  while (true) {
    // Not `receive`: what is no message has to show as well.
    poll.start();
    poll.add(subscriber.fd());
    poll.wait(longest_rest);
    subscriber.drain(keep, burst);
    const std::scoped_lock lock(mutex);
    for (Message& message : read) buffer.offer(std::move(message));
    read.clear();
    ledger = subscriber.ledger();
    ready = ready || subscriber.is_ready();
    changed.notify_all();
    if (stopped) return;
  }
}

/// Without the mutex: it may call us.
void BufferedSubscriber::State::tell(const Gap& gap) {
  std::unique_lock lock(mutex);
  const auto handler = gap_handler;
  lock.unlock();
  if (!handler) return;
  if (const auto threw = detail::thrown_by([&] { handler(gap); }))
    home.log(LogLevel::error, "'" + name + "': on_gap threw: " + *threw);
}

BufferedSubscriber::BufferedSubscriber(Context& context, SubscriberOptions options,
                                       BufferOptions buffer) {
  check(buffer);
  state_ = std::make_unique<State>(context, std::move(options), std::move(buffer));
}

BufferedSubscriber::~BufferedSubscriber() {
  stop();
  state_->thread.join();
}

void BufferedSubscriber::wait_ready(milliseconds timeout) {
  std::unique_lock lock(state_->mutex);
  const auto settled = [this] { return state_->ready || state_->stopped; };
  if (state_->wait_for(lock, timeout, settled) && state_->ready) return;
  throw Error(state_->stopped ? ErrorKind::usage : ErrorKind::timeout,
              "wait until '" + state_->name + "' is ready",
              state_->stopped
                  ? "it was stopped"
                  : "no publisher has answered after " + std::to_string(timeout.count()) + " ms",
              "start one; stock publishers never answer");
}

std::optional<Message> BufferedSubscriber::receive(milliseconds timeout) {
  std::unique_lock lock(state_->mutex);
  state_->wait_for(lock, timeout, [this] { return !state_->buffer.empty() || state_->stopped; });
  return state_->stopped ? std::nullopt : state_->buffer.take();
}

BufferedSubscriber::Messages BufferedSubscriber::messages(milliseconds timeout) {
  const Messages::Next next = [](BufferedSubscriber& subscriber, milliseconds wait) {
    return subscriber.receive(wait);
  };
  return {*this, next, timeout};
}

bool BufferedSubscriber::stopped() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->stopped;
}

void BufferedSubscriber::stop() noexcept {
  {
    const std::scoped_lock lock(state_->mutex);
    state_->stopped = true;
    state_->changed.notify_all();
  }
  state_->subscriber.stop();
}

void BufferedSubscriber::on_gap(std::function<void(const Gap&)> handler) {
  const std::scoped_lock lock(state_->mutex);
  state_->gap_handler = std::move(handler);
}

BufferLedger BufferedSubscriber::ledger() const {
  const std::scoped_lock lock(state_->mutex);
  BufferLedger ledger = state_->buffer.ledger();
  ledger.subscriber = state_->ledger;
  return ledger;
}

}  // namespace busbar

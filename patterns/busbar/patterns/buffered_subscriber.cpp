#include "busbar/patterns/buffered_subscriber.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <busbar/core/error.hpp>
#include <busbar/patterns/internal/message_buffer.hpp>

namespace busbar {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds forever = std::chrono::hours{24 * 365};
constexpr std::size_t burst = 1000;  // messages between two looks of whoever waits

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
      : subscriber(context, std::move(options)),
        patterns(std::move(buffered.patterns)),
        buffer(buffered.when_full, buffered.messages, buffered.bytes),
        thread([this] { run(); }) {}

  void run();
  void read_on();

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
  } catch (const Error&) {  // the context was stopped
  }
  const std::scoped_lock lock(mutex);
  stopped = true;
  changed.notify_all();
}

void BufferedSubscriber::State::read_on() {
  subscriber.on_gap([this](const Gap& gap) {
    const std::scoped_lock lock(mutex);
    if (gap_handler) gap_handler(gap);
  });
  for (const TopicPattern& pattern : patterns) subscriber.subscribe(pattern);
  std::vector<Message> read;
  while (true) {
    if (auto message = subscriber.receive(ready ? forever : milliseconds{1})) {
      read.push_back(std::move(*message));
      subscriber.drain([&](const Message& more) { read.push_back(more); }, burst);
    }
    const bool is_ready = subscriber.is_ready();
    const std::scoped_lock lock(mutex);
    for (Message& message : read) buffer.offer(std::move(message));
    read.clear();
    ledger = subscriber.ledger();
    ready = ready || is_ready;
    changed.notify_all();
    if (stopped) return;
  }
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
  if (state_->changed.wait_for(lock, timeout, settled) && state_->ready) return;
  throw Error(ErrorKind::timeout, "wait until a buffered subscriber is ready",
              "no publisher has answered after " + std::to_string(timeout.count()) + " ms",
              "start one; stock publishers never answer");
}

std::optional<Message> BufferedSubscriber::receive(milliseconds timeout) {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait_for(lock, std::min(timeout, forever),
                           [this] { return !state_->buffer.empty() || state_->stopped; });
  return state_->stopped ? std::nullopt : state_->buffer.take();
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

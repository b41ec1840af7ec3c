#include "busbar/core/event_loop.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <list>
#include <map>
#include <mutex>
#include <vector>

#include <busbar/core/error.hpp>
#include <busbar/core/internal/wake.hpp>

namespace busbar {

using std::chrono::milliseconds;

namespace {

struct Watch {
  Socket* socket = nullptr;  ///< Null for a descriptor.
  int descriptor = -1;
  std::function<void()> readable = {};
  std::function<void()> writable = {};
  TimePoint maintain_at = TimePoint::min();
  bool removed = false;  ///< Kept until the round ends, so that handlers may remove themselves.
};

struct TimerEntry {
  TimePoint due;
  milliseconds period;  ///< 0: once
  std::function<void()> call;
};

/// Calls a copy, since the handler may replace itself.
void call(const Watch& watch, const std::function<void()>& handler) {
  if (watch.removed || !handler) return;
  const std::function<void()> copy = handler;
  copy();
}

}  // namespace

struct EventLoop::State {
  explicit State(Context& home) : context(home) {}

  Watch* find(const Socket& socket);
  long time_to_wait(milliseconds wait);
  void poll(milliseconds wait);
  void serve_watches();
  void serve_timers();
  void serve_posts();

  Context context;
  detail::Wake wake;
  std::list<Watch> watches;  // stable addresses: handlers may add while we walk
  std::map<EventLoop::Timer, TimerEntry> timers;
  EventLoop::Timer next_timer = 0;
  std::vector<zmq_pollitem_t> items;
  std::mutex mutex;
  std::vector<std::function<void()>> posts;
  std::atomic<bool> stopped = false;
};

Watch* EventLoop::State::find(const Socket& socket) {
  for (Watch& watch : watches) {
    if (watch.socket == &socket && !watch.removed) return &watch;
  }
  return nullptr;
}

long EventLoop::State::time_to_wait(milliseconds wait) {
  const TimePoint now = context.clock().now();
  TimePoint until = busbar::after(now, wait);
  for (const auto& [id, timer] : timers) until = std::min(until, timer.due);
  for (const Watch& watch : watches) {
    if (watch.socket != nullptr) until = std::min(until, watch.maintain_at);
  }
  return left_until(until, now).count();
}

void EventLoop::State::poll(milliseconds wait) {
  items.clear();
  items.push_back({nullptr, wake.descriptor(), ZMQ_POLLIN, 0});
  for (const Watch& watch : watches) {
    if (watch.socket == nullptr) {
      items.push_back({nullptr, watch.descriptor, ZMQ_POLLIN, 0});
      continue;
    }
    const short events =
        static_cast<short>((watch.readable ? ZMQ_POLLIN : 0) | (watch.writable ? ZMQ_POLLOUT : 0));
    items.push_back({watch.socket->raw().handle(), 0, events, 0});
    items.push_back({watch.socket->monitor().handle(), 0, ZMQ_POLLIN, 0});
  }
  const int ready = zmq_poll(items.data(), static_cast<int>(items.size()), time_to_wait(wait));
  if (ready >= 0 || errno == EINTR) return;
  if (errno == ETERM) throw Error(ErrorKind::refused, "event loop", "the context was stopped");
  throw Error(ErrorKind::usage, "event loop", zmq_strerror(errno));
}

void EventLoop::State::serve_watches() {
  const TimePoint now = context.clock().now();
  std::size_t item = 1;
  const std::size_t polled = items.size();
  for (Watch& watch : watches) {
    if (item >= polled) break;  // added by a handler in this round
    const short events = items[item++].revents;
    const bool monitored = watch.socket != nullptr && items[item++].revents != 0;
    if (watch.removed) continue;
    if (monitored || (watch.socket != nullptr && watch.maintain_at <= now)) {
      watch.maintain_at = watch.socket->maintain();
    }
    // ZMQ_POLLERR covers the hang-up of a descriptor, which its reader must see as an end.
    if ((events & (ZMQ_POLLIN | ZMQ_POLLERR)) != 0) call(watch, watch.readable);
    if ((events & ZMQ_POLLOUT) != 0) call(watch, watch.writable);
  }
  watches.remove_if([](const Watch& watch) { return watch.removed; });
}

void EventLoop::State::serve_timers() {
  const TimePoint now = context.clock().now();
  std::vector<EventLoop::Timer> due;
  for (const auto& [id, timer] : timers) {
    if (timer.due <= now) due.push_back(id);
  }
  for (const EventLoop::Timer id : due) {
    const auto found = timers.find(id);
    if (found == timers.end()) continue;  // cancelled by another one
    const std::function<void()> call = found->second.call;
    if (found->second.period.count() == 0) {
      timers.erase(found);
    } else {
      found->second.due = busbar::after(now, found->second.period);
    }
    call();
  }
}

void EventLoop::State::serve_posts() {
  if (!wake.clear()) return;
  std::vector<std::function<void()>> calls;
  {
    const std::scoped_lock lock(mutex);
    calls.swap(posts);
  }
  for (std::size_t i = 0; i < calls.size(); ++i) {
    try {
      calls[i]();
    } catch (...) {
      const std::scoped_lock lock(mutex);
      const auto rest = calls.begin() + static_cast<std::ptrdiff_t>(i) + 1;
      posts.insert(posts.begin(), std::make_move_iterator(rest),
                   std::make_move_iterator(calls.end()));
      wake.signal();
      throw;
    }
  }
}

EventLoop::EventLoop(Context& context) : state_(std::make_unique<State>(context)) {}
EventLoop::EventLoop(EventLoop&&) noexcept = default;
EventLoop::~EventLoop() = default;

void EventLoop::add(Socket& socket, std::function<void()> readable) {
  remove(socket);
  state_->watches.push_back({&socket, -1, std::move(readable)});
}

void EventLoop::remove(Socket& socket) {
  if (Watch* watch = state_->find(socket)) watch->removed = true;
}

void EventLoop::on_writable(Socket& socket, std::function<void()> writable) {
  Watch* watch = state_->find(socket);
  if (watch == nullptr) {
    throw Error(ErrorKind::usage, "event loop", "socket '" + socket.name() + "' was not added");
  }
  watch->writable = std::move(writable);
}

void EventLoop::add(int descriptor, std::function<void()> readable) {
  state_->watches.push_back({nullptr, descriptor, std::move(readable)});
}

void EventLoop::remove(int descriptor) {
  for (Watch& watch : state_->watches) {
    if (watch.socket == nullptr && watch.descriptor == descriptor) watch.removed = true;
  }
}

EventLoop::Timer EventLoop::after(milliseconds delay, std::function<void()> due) {
  const Timer id = ++state_->next_timer;
  state_->timers[id] = {busbar::after(state_->context.clock().now(), delay), milliseconds{0},
                        std::move(due)};
  return id;
}

EventLoop::Timer EventLoop::every(milliseconds period, std::function<void()> due) {
  const Timer id = ++state_->next_timer;
  const milliseconds safe = std::max(period, milliseconds{1});
  state_->timers[id] = {busbar::after(state_->context.clock().now(), safe), safe, std::move(due)};
  return id;
}

void EventLoop::cancel(Timer timer) { state_->timers.erase(timer); }

void EventLoop::run_once(milliseconds wait) {
  state_->watches.remove_if([](const Watch& watch) { return watch.removed; });
  state_->poll(wait);
  state_->serve_posts();
  state_->serve_watches();
  state_->serve_timers();
}

void EventLoop::run() {
  while (!stopped()) run_once(std::chrono::hours{1});
}

void EventLoop::post(std::function<void()> call) {
  {
    const std::scoped_lock lock(state_->mutex);
    state_->posts.push_back(std::move(call));
  }
  state_->wake.signal();
}

void EventLoop::stop() {
  state_->stopped = true;
  state_->wake.signal();
}

bool EventLoop::stopped() const noexcept { return state_->stopped; }

}  // namespace busbar

/// Sockets, descriptors, timers and calls from other threads, served in one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include <busbar/core/socket.hpp>

namespace busbar {

/// Every call but `post` and `stop` belongs to the thread that runs the loop. Handlers may add,
/// replace and remove sockets, timers and themselves; what they throw comes out of `run`, which may
/// be called again. Timers go by the context's clock: a ManualClock that is advanced wakes nobody.
class EventLoop {
 public:
  explicit EventLoop(Context& context);
  EventLoop(EventLoop&&) noexcept;
  ~EventLoop();

  /// Calls `readable` whenever a message may be there (it must read until none is), and maintains
  /// the socket; replaces an earlier one. The socket must stay where it is until `remove`.
  void add(Socket& socket, std::function<void()> readable);
  void remove(Socket& socket);
  /// As long as `writable` is set it is called whenever the socket takes a message; an empty
  /// function ends that. Never for XPUB, PUB and ROUTER, which always say so.
  void on_writable(Socket& socket, std::function<void()> writable);
  /// Calls `readable` whenever the descriptor is (poll(2), level-triggered, or at its end).
  void add(int descriptor, std::function<void()> readable);
  void remove(int descriptor);

  using Timer = std::uint64_t;
  /// Calls `due` once.
  Timer after(std::chrono::milliseconds delay, std::function<void()> due);
  /// Calls `due` again and again; late calls are not made up for.
  Timer every(std::chrono::milliseconds period, std::function<void()> due);
  /// Unknown and finished timers are ignored.
  void cancel(Timer timer);

  /// Serves what is ready, waiting for at most `wait`.
  void run_once(std::chrono::milliseconds wait);
  /// Until `stop`.
  void run();

  /// Runs `call` in the loop's thread, in order. Any thread; wakes the loop.
  void post(std::function<void()> call);
  /// Makes `run` return. Any thread.
  void stop();
  bool stopped() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace busbar

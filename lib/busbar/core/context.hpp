/// The home of sockets: libzmq's I/O threads, access control, the log and the clock.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <busbar/core/clock.hpp>
#include <busbar/core/log.hpp>

namespace busbar {

namespace detail {
class ContextState;
class Services;
}  // namespace detail

struct ContextOptions {
  int io_threads = 1;       ///< One moves about 1 GB/s; give another for each further GB/s.
  int max_sockets = 65536;  ///< ZMQ_MAX_SOCKETS; every Socket needs two, its monitor included.
  LogCallback log = {};     ///< Where the library talks; nowhere by default.
  const Clock* clock = &Clock::steady();  ///< Must outlive the context.
};

/// What a stop had to leave behind. Whatever has something to lose ends with `stop(deadline)`,
/// which waits and reports; what only receives, or is stepped, with `stop()`, which waits for
/// nothing.
struct StopReport {
  bool clean = true;  ///< Nothing was abandoned and nothing is still open.
  std::chrono::milliseconds took{0};
  std::uint64_t abandoned = 0;  ///< Messages received but not sent on.
  std::vector<std::string> remains =
      {};  ///< `tasks (PUSH)`: sockets still open, threads still busy, requests not answered.
  /// One line: `stopped in 12 ms` or `2 sockets still open: tasks (PUSH), audit (PUB)`.
  std::string str() const;
};

/// Create one in each process, after any fork. Thread-safe; a cheap handle that may be copied.
/// Its sockets keep it alive: destroying the last handle never hangs on an open socket, and waits
/// at most for the linger time of closed ones.
class Context {
 public:
  /// Throws Error where libzmq cannot start. Starts the access-control (ZAP) thread.
  explicit Context(ContextOptions options = {});

  /// Makes every blocking call on this context's sockets return, then waits until all of them are
  /// closed, at the most until the deadline, and names those that are not. No socket can be
  /// created afterwards.
  StopReport stop(std::chrono::milliseconds deadline);

  /// Hands `text` to the log callback. Any thread.
  void log(LogLevel level, std::string_view text) const;
  const Clock& clock() const noexcept;
  /// libzmq's context, for calls that Busbar does not wrap.
  void* handle() const noexcept;
  /// For what makes services known by name (`peer://NAME`), as a Peer does.
  detail::Services& services() const noexcept;

 private:
  friend class Socket;
  std::shared_ptr<detail::ContextState> state_;
};

}  // namespace busbar

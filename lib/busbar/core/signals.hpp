/// SIGINT, SIGTERM and SIGHUP as a descriptor, signalfd(2).
#pragma once

#include <csignal>
#include <optional>

namespace busbar {

enum class Signal { terminate, reload };

/// Blocks SIGINT, SIGTERM and SIGHUP in the calling thread and all that it starts from then on, so
/// create it in main before the Context. The destructor takes in what is pending and restores the
/// former mask.
class Signals {
 public:
  Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

  /// Readable when a signal has come: for an EventLoop.
  int fd() const noexcept { return descriptor_; }
  /// The next signal, if one has come: SIGINT and SIGTERM ask to drain and end, SIGHUP to reload.
  std::optional<Signal> next();

 private:
  int descriptor_ = -1;
  sigset_t before_;
};

}  // namespace busbar

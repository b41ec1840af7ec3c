/// Forked processes that a measurement is made of. The parent never has a ZeroMQ context: contexts
/// do not survive a fork.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace busbar::program::bench {

/// What the processes of one trial share: an anonymous mapping, a cache line for each writer.
struct Shared {
  alignas(64) std::atomic<std::uint64_t> received{0};  ///< by the sink
  alignas(64) std::atomic<std::uint64_t> ready{0};     ///< processes that are set up
  alignas(64) std::atomic<std::uint64_t> samples{0};   ///< round trips in `nanoseconds`
  static constexpr std::size_t samples_max = 100'000;
  std::uint64_t nanoseconds[samples_max]{};
};

class SharedMemory {
 public:
  SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory();
  Shared& operator*() const noexcept { return *shared_; }
  Shared* operator->() const noexcept { return shared_; }

 private:
  Shared* shared_;
};

/// Writes the endpoints that a child is bound to, for its parent.
using Announce = std::function<void(const std::vector<std::string>& endpoints)>;

/// A child that runs `work`. The destructor kills and reaps it.
class Process {
 public:
  explicit Process(const std::function<void(const Announce&)>& work);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  /// What the child announced. Throws Error where it ends without, or after ten seconds.
  std::vector<std::string> endpoints();
  /// CPU time that it has used, in seconds.
  double cpu_seconds() const;

 private:
  pid_t child_ = -1;
  int announced_ = -1;
};

}  // namespace busbar::program::bench

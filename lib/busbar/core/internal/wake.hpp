/// What ends a wait in poll(2) from another thread.
#pragma once

#include <cstdint>
#include <sys/eventfd.h>
#include <unistd.h>

#include <busbar/core/error.hpp>

namespace busbar::detail {

class Wake {
 public:
  Wake() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (descriptor_ < 0) {
      throw Error(ErrorKind::refused, "wake a loop", "no file descriptor is left",
                  "raise the limit (ulimit -n)");
    }
  }
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;
  ~Wake() { close(descriptor_); }

  int descriptor() const noexcept { return descriptor_; }
  void signal() const noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(descriptor_, &one, sizeof one);
  }
  /// False: nobody signalled.
  bool clear() const noexcept {
    std::uint64_t ignored = 0;
    return read(descriptor_, &ignored, sizeof ignored) > 0;
  }

 private:
  int descriptor_;
};

}  // namespace busbar::detail

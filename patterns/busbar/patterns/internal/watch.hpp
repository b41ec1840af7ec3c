/// One descriptor for another event loop, which stands for those of several sockets.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <busbar/core/clock.hpp>
#include <busbar/core/error.hpp>

namespace busbar::detail {

/// A descriptor that is closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int opened) : number_(opened) {
    if (number_ < 0) {
      throw Error(ErrorKind::refused, "open a descriptor", "none is left",
                  "raise the limit (ulimit -n)");
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(number_); }
  int number() const noexcept { return number_; }

 private:
  int number_;
};

/// The descriptors of sockets tell only of news (ZMQ_FD), and not of what was left when they were
/// used last: that has to ring by itself, and so has what only time will bring.
class Watch {
 public:
  /// It has to stay open as long as this lives.
  void add(int descriptor) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = descriptor;
    epoll_ctl(all_.number(), EPOLL_CTL_ADD, descriptor, &event);
  }
  /// Readable from `due` on, until this is called again. An earlier bell that has not rung yet
  /// stays.
  void ring(TimePoint due, TimePoint now) {
    const bool has_rung = rings_at_ <= now;
    if (has_rung ? due <= now : rings_at_ <= due) return;
    const auto left = left_until(due, now);
    rings_at_ = now + left;
    const auto nanoseconds = std::max<std::int64_t>(1, left.count() * 1'000'000);
    const itimerspec at{{0, 0}, {nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000}};
    timerfd_settime(bell_.number(), 0, &at, nullptr);
  }
  /// Readable (poll(2), level-triggered) while it rings, or one of the others is.
  int descriptor() const noexcept { return all_.number(); }

  Watch() { add(bell_.number()); }

 private:
  Descriptor bell_{timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)};
  Descriptor all_{epoll_create1(EPOLL_CLOEXEC)};
  TimePoint rings_at_ = TimePoint::max();
};

}  // namespace busbar::detail

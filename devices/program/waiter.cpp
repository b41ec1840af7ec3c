#include "program/waiter.hpp"

#include <algorithm>
#include <array>
#include <poll.h>

namespace busbar::program {

void Waiter::wait(int readable, int output, std::optional<std::chrono::milliseconds> timeout) {
  constexpr std::chrono::milliseconds longest{1000};
  // poll(2) passes over negative descriptors.
  std::array<pollfd, 3> items{{{signals(), POLLIN, 0}, {readable, POLLIN, 0}, {output, 0, 0}}};
  const auto most = std::clamp(timeout.value_or(longest), std::chrono::milliseconds{0}, longest);
  if (::poll(items.data(), items.size(), static_cast<int>(most.count())) <= 0) {
    broken_ = false;
    return;
  }
  if (items[0].revents != 0) take_signals();
  broken_ = (items[2].revents & POLLERR) != 0;
}

void Waiter::look() {
  const auto now = std::chrono::steady_clock::now();
  if (now < look_at_) return;
  look_at_ = now + tick;
  take_signals();
}

void Waiter::take_signals() {
  while (signals_.next()) ++signals_seen_;
}

}  // namespace busbar::program

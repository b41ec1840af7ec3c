#include "busbar/core/internal/socket_poll.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>

#include <zmq.h>

namespace busbar::detail {

void SocketPoll::add(void* socket, int events) {
  int now = 0;
  std::size_t size = sizeof now;
  // Asked before the wait, because any call on the socket may have taken the descriptor's edge.
  if (!ready_ && zmq_getsockopt(socket, ZMQ_EVENTS, &now, &size) != 0) closed_ = true;
  if ((now & events) != 0) ready_ = true;
  add_unasked(socket);
}

void SocketPoll::add_unasked(void* socket) {
  if (ready_) return;
  int descriptor = -1;
  std::size_t size = sizeof descriptor;
  if (zmq_getsockopt(socket, ZMQ_FD, &descriptor, &size) == 0) {
    add(descriptor);
  } else {
    closed_ = true;
  }
}

bool SocketPoll::may_have_news(std::size_t from) const noexcept {
  if (ready_) return true;  // nobody asked
  return std::any_of(descriptors_.begin() + static_cast<std::ptrdiff_t>(from), descriptors_.end(),
                     [](const pollfd& one) { return one.revents != 0; });
}

bool SocketPoll::wait(std::chrono::nanoseconds longest) {
  if (ready_ || closed_) return !closed_;
  constexpr std::int64_t second = 1'000'000'000;
  const std::int64_t left = std::max<std::int64_t>(longest.count(), 0);
  const timespec time{left / second, left % second};
  ppoll(descriptors_.data(), descriptors_.size(), &time, nullptr);
  return true;
}

}  // namespace busbar::detail

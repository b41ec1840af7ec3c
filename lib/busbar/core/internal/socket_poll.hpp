/// Waiting on sockets and descriptors with as few system calls as libzmq allows.
#pragma once

#include <chrono>
#include <cstddef>
#include <poll.h>
#include <vector>

namespace busbar::detail {

/// zmq_poll(3) asks the kernel twice and every socket twice for one event. This asks each socket
/// once (ZMQ_EVENTS), and the kernel only where none is ready. The descriptor of a socket tells no
/// more than that there is something to ask it (ZMQ_FD, edge-triggered), so a wait that ends says
/// only: look again.
class SocketPoll {
 public:
  void start() {
    descriptors_.clear();
    ready_ = closed_ = false;
  }
  /// `events`: ZMQ_POLLIN, ZMQ_POLLOUT or both.
  void add(void* socket, int events);
  /// Without asking: for one that was asked since, and does not say when there is room (XPUB,
  /// ROUTER). Any news ends the wait.
  void add_unasked(void* socket);
  void add(int descriptor) { descriptors_.push_back({descriptor, POLLIN, 0}); }
  /// How many descriptors are waited for so far: the place of the next one.
  std::size_t size() const noexcept { return descriptors_.size(); }
  /// Returns at once where a socket is ready. False: the context was stopped.
  bool wait(std::chrono::nanoseconds longest);
  /// Whether a descriptor from that place on may have had news when the last wait ended.
  bool may_have_news(std::size_t from) const noexcept;

 private:
  std::vector<pollfd> descriptors_;
  bool ready_ = false;
  bool closed_ = false;
};

}  // namespace busbar::detail

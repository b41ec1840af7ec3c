#include "busbar/core/internal/farewell.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace busbar::detail {

namespace {

using std::chrono::nanoseconds;

// Between two looks whether libzmq is done: nobody tells.
constexpr nanoseconds first_pause = std::chrono::microseconds{50};
constexpr nanoseconds longest_pause = std::chrono::milliseconds{5};

void wait_for_some(std::vector<pollfd>& open, nanoseconds longest) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(longest);
  const timespec timeout{seconds.count(), (longest - seconds).count()};
  if (ppoll(open.data(), open.size(), &timeout, nullptr) >= 0) return;
  for (pollfd& one : open) one.revents = 0;
}

/// Who never said anything is no peer, and nothing was sent to it. ipc does not tell.
bool has_spoken(int connection) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(connection, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return true;
  return info.tcpi_bytes_received > 0;
}

/// Throws away what the peer says. True: it has closed.
bool has_closed(int connection) {
  std::array<char, 16384> heard;
  const ssize_t size = recv(connection, heard.data(), heard.size(), MSG_DONTWAIT);
  return size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
}

}  // namespace

std::uint64_t identity_of(int connection) noexcept {
  std::uint64_t identity = 0;
  socklen_t size = sizeof identity;
  return getsockopt(connection, SOL_SOCKET, SO_COOKIE, &identity, &size) == 0 ? identity : 0;
}

Farewell::~Farewell() {
  for (const Kept& kept : sending_) close(kept.own);
  for (const int own : read_) close(own);
}

void Farewell::keep(int connection, std::uint64_t identity) {
  const int own = fcntl(connection, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return;  // it is closed, or there is no descriptor left
  if (identity != 0 && identity_of(own) == identity && has_spoken(own)) {
    sending_.push_back({own, connection, identity});
  } else {
    close(own);
  }
}

void Farewell::close_for_sending() {
  std::erase_if(sending_, [this](const Kept& kept) {
    if (identity_of(kept.libzmq) == kept.identity) return false;
    shutdown(kept.own, SHUT_WR);
    read_.push_back(kept.own);
    return true;
  });
}

void Farewell::wait(TimePoint end) {
  std::vector<pollfd> open;
  nanoseconds pause = first_pause;
  while (true) {
    close_for_sending();
    const auto now = std::chrono::steady_clock::now();
    if ((sending_.empty() && read_.empty()) || now >= end) return;
    open.clear();
    for (const int own : read_) open.push_back({own, POLLIN, 0});
    const nanoseconds left = end - now;
    wait_for_some(open, sending_.empty() ? left : std::min(left, pause));
    pause = std::min(2 * pause, longest_pause);
    for (const pollfd& one : open) {
      if (one.revents == 0 || !has_closed(one.fd)) continue;
      std::erase(read_, one.fd);
      close(one.fd);
    }
  }
}

}  // namespace busbar::detail

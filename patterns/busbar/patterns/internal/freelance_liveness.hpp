/// Which servers of the Freelance protocol are there. A pure machine.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>
#include <vector>

#include <busbar/core/clock.hpp>

namespace busbar::detail {

/// A server is there once it has said something, as it does to a PING, and gone when its connection
/// is, or after three PINGs without a word. (The timings are those of the RFC's reference.)
class FreelanceLiveness {
 public:
  static constexpr std::chrono::milliseconds ping_interval{2000};
  static constexpr std::chrono::milliseconds expiry{6000};
  static constexpr std::chrono::milliseconds ping_retry{50};  ///< While no way leads to it yet.

  explicit FreelanceLiveness(std::size_t servers) : servers_(servers) {}

  bool is_there(std::size_t server) const noexcept { return servers_[server].there; }
  /// It is asked at once.
  void connected(std::size_t server) noexcept { servers_[server].ping_at = {}; }
  void disconnected(std::size_t server) noexcept { servers_[server].there = false; }
  /// True: it is there from now on.
  bool heard(std::size_t server, TimePoint now) noexcept {
    servers_[server].heard = now;
    return !std::exchange(servers_[server].there, true);
  }
  /// True, once: it has been silent for too long, and is there no more.
  bool falls_silent(std::size_t server, TimePoint now) noexcept {
    Server& one = servers_[server];
    return one.there && now >= one.heard + expiry && std::exchange(one.there, false);
  }
  bool ping_is_due(std::size_t server, TimePoint now) const noexcept {
    return now >= servers_[server].ping_at;
  }
  /// A PING went to it, or could not.
  void pinged(std::size_t server, bool sent, TimePoint now) noexcept {
    servers_[server].ping_at = now + (sent ? ping_interval : ping_retry);
  }
  /// When one is to be asked, or falls silent.
  TimePoint next() const noexcept {
    TimePoint next = TimePoint::max();
    for (const Server& one : servers_) {
      next = std::min(next, one.ping_at);
      if (one.there) next = std::min(next, one.heard + expiry);
    }
    return next;
  }

 private:
  struct Server {
    bool there = false;
    TimePoint heard{};
    TimePoint ping_at{};
  };
  std::vector<Server> servers_;
};

}  // namespace busbar::detail

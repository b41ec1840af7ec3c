/// Looks host names up outside of libzmq's I/O thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <busbar/core/clock.hpp>
#include <busbar/core/endpoint.hpp>

namespace busbar::detail {

/// A name with several addresses stands for the first one where somebody listens: `localhost` is
/// ::1 first on many machines, whatever the server bound. Each look-up runs in a thread of its own
/// (getaddrinfo(3) cannot be interrupted), which is left behind where it takes longer than five
/// seconds.
class Resolver {
 public:
  explicit Resolver(bool ipv4_only) : ipv4_only_(ipv4_only) {}

  void look_up(const Endpoint& endpoint, TimePoint now);

  struct Result {
    Endpoint endpoint;
    std::string address = {};  ///< Numeric; empty: not found, or not in time.
    std::string cause = {};    ///< Why it is empty.
  };
  /// What has come in or timed out since the last call.
  std::vector<Result> take(TimePoint now);
  bool busy() const noexcept { return !pending_.empty(); }

 private:
  struct LookUp;
  bool ipv4_only_;
  std::vector<std::shared_ptr<LookUp>> pending_;
};

}  // namespace busbar::detail

/// Looks host names up outside of libzmq's I/O thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <busbar/core/clock.hpp>

namespace busbar {

/// Each look-up runs in a thread of its own (getaddrinfo(3) cannot be interrupted), which is left
/// behind where it takes longer than five seconds.
class Resolver {
 public:
  explicit Resolver(bool ipv4_only) : ipv4_only_(ipv4_only) {}

  void look_up(const std::string& host, TimePoint now);

  struct Result {
    std::string host;
    std::string address;  ///< Numeric; empty: not found, or not in time.
  };
  /// What has come in or timed out since the last call.
  std::vector<Result> take(TimePoint now);
  bool busy() const noexcept { return !pending_.empty(); }

 private:
  struct LookUp;
  bool ipv4_only_;
  std::vector<std::shared_ptr<LookUp>> pending_;
};

}  // namespace busbar

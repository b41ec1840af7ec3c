/// How a measurement's parent waits for its children, and watches them.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include <busbar/core/error.hpp>

namespace busbar::program::bench {

inline constexpr std::chrono::seconds longest_await{30};

/// Looks once a millisecond. Throws Error (timeout) after half a minute.
template <class Condition>
void await(const char* what, Condition condition) {
  const auto give_up_at = std::chrono::steady_clock::now() + longest_await;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up_at)
      throw Error{ErrorKind::timeout, std::string{"bench: "} + what, "nothing moved for 30 s"};
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
}

/// By how much `counter` grows in a second, watched for `window`.
inline double rate_of(const std::atomic<std::uint64_t>& counter, std::chrono::milliseconds window) {
  const auto begin = std::chrono::steady_clock::now();
  const std::uint64_t before = counter;
  std::this_thread::sleep_for(window);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return static_cast<double>(counter - before) / took.count();
}

}  // namespace busbar::program::bench

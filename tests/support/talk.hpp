/// What the library says, for tests to read.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include <busbar/core/log.hpp>

namespace busbar::testing {

/// Collects what the library says, from whichever thread.
struct Talk {
  LogCallback callback() {
    return [this](LogLevel, std::string_view text) {
      const std::scoped_lock lock(mutex);
      said += std::string(text) + "\n";
    };
  }
  bool has(std::string_view text) {
    const std::scoped_lock lock(mutex);
    return said.find(text) != std::string::npos;
  }
  std::mutex mutex;
  std::string said;
};

}  // namespace busbar::testing

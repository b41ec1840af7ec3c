/// How every wait for others ends.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

#include <busbar/core/error.hpp>

namespace busbar::detail {

/// Throws Error unless as many are `there` as were `wanted`: timeout, or usage where the one that
/// waited was stopped. `trouble`: why somebody is not there, as far as that is known.
inline void check_enough(std::string operation, std::size_t there, std::size_t wanted,
                         std::chrono::milliseconds timeout, bool stopped, const char* remedy,
                         const std::string& trouble = {}) {
  if (there >= wanted) return;
  if (stopped) throw Error(ErrorKind::usage, std::move(operation), "it was stopped");
  throw Error(ErrorKind::timeout, std::move(operation),
              std::to_string(there) + " of " + std::to_string(wanted) + " after " +
                  std::to_string(timeout.count()) + " ms" + (trouble.empty() ? "" : "; " + trouble),
              remedy);
}

}  // namespace busbar::detail

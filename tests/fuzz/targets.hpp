/// Every fuzz target, in one table. To add one: write its function, add a row, and name it in
/// CMakeLists.txt.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::fuzz {

/// A property that the bytes break. Anything else that a target throws is a finding as well.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void check(bool holds, const char* property) {
  if (!holds) throw Failure(property);
}

struct Target {
  std::string_view name;
  void (*run)(std::string_view bytes);
  std::vector<std::string> seeds;  ///< What is mutated: small, and of every kind.
};

const std::vector<Target>& targets();
/// nullptr: no target of that name.
const Target* find_target(std::string_view name);

}  // namespace busbar::fuzz

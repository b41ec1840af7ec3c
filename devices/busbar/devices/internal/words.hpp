/// Words that stand for values, and what somebody who mistyped one probably meant.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::detail {

/// The names of `all`, in their order. `all`: a range of values that `name_of` takes.
template <class Values>
std::vector<std::string_view> names_of(const Values& all) {
  std::vector<std::string_view> names;
  for (const auto value : all) names.push_back(name_of(value));
  return names;
}

/// The value of that name; empty where none has it.
template <class Values>
auto named(std::string_view name, const Values& all) -> std::optional<typename Values::value_type> {
  for (const auto value : all) {
    if (name_of(value) == name) return value;
  }
  return std::nullopt;
}

/// The candidate with the fewest edits to `word`, where that is at most half of it; else empty.
/// What is longer than 40 bytes is near to nothing.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

/// `a, b, c`
std::string listed(const std::vector<std::string_view>& words, std::string_view between = ", ");

}  // namespace busbar::detail

/// What is shared by those who look for mistakes in a topology.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <busbar/devices/internal/words.hpp>
#include <busbar/devices/topology/topology.hpp>

namespace busbar::detail {

/// Throws Error (usage) with every finding, a line each, in the order of the file; none: returns.
void throw_findings(const std::string& operation, std::vector<Finding> findings);

/// 1 to 64 letters, digits, `-` and `_`.
bool is_device_name(std::string_view name) noexcept;
inline constexpr const char* device_name_form = "use 1 to 64 letters, digits, - and _";
inline constexpr const char* link_form = R"(write from = "A.backend", to = "B.frontend")";

/// `edge.backend` as device and side; both empty where it is not of that form.
std::pair<std::string_view, std::string_view> split_end(std::string_view end) noexcept;

/// The candidate that `word` was most likely meant to be, in words: ` (did you mean 'kind'?)`, or
/// nothing where none is near.
std::string suggestion(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace busbar::detail

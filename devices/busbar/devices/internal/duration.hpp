/// Lengths of time as configuration files write them: 500ms, 5s, 1min, 2h.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace busbar::detail {

/// The longest that is taken: a day, as on a control endpoint.
inline constexpr std::chrono::milliseconds longest_duration = std::chrono::hours{24};

/// A whole number and its unit; empty for anything else, and above a day.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// The shortest text that parse_duration reads back.
std::string duration_text(std::chrono::milliseconds duration);

}  // namespace busbar::detail

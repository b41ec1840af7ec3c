/// Topics and patterns as DESIGN says them, written a second time and as plainly as possible: the
/// oracle. It shares no code with the library.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace busbar::fuzz::naive {

inline constexpr std::size_t longest = 240;

bool is_topic(const std::string& text);
bool is_pattern(const std::string& text);
bool matches(const std::string& pattern, const std::string& topic);

}  // namespace busbar::fuzz::naive

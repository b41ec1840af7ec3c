/// Lengths of time on the command line, written as in a topology file: 500ms, 5s, 1min, 2h.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace busbar::program {

/// Throws Error (usage), naming the subject.
std::chrono::milliseconds parse_duration(std::string_view text, const std::string& subject);
std::string format_duration(std::chrono::milliseconds duration);

}  // namespace busbar::program

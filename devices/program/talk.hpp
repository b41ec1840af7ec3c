/// How the program talks: to stderr, through spdlog. stdout is for data only.
#pragma once

#include <string_view>

#include <busbar/core/log.hpp>

namespace busbar::program {

/// Call once, first thing in main.
void start_talking();
/// `busbar: TEXT`, or `busbar: warning: TEXT`. Any thread.
void say(LogLevel level, std::string_view text);
inline void say(std::string_view text) { say(LogLevel::info, text); }
inline void warn(std::string_view text) { say(LogLevel::warning, text); }
/// For ContextOptions::log: all but debug.
LogCallback library_log();

}  // namespace busbar::program

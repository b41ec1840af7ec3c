/// How the library talks: it calls back, and never writes to a terminal itself.
#pragma once

#include <functional>
#include <string_view>

namespace busbar {

enum class LogLevel { debug, info, warning, error };

/// Called from any of the library's threads, so it must be thread-safe and must not
/// throw; keep it short.
using LogCallback = std::function<void(LogLevel, std::string_view)>;

}  // namespace busbar

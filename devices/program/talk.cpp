#include "program/talk.hpp"

#include <cstdlib>
#include <memory>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace busbar::program {
namespace {

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

void start_talking() {
  auto logger =
      std::make_shared<spdlog::logger>("busbar", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("busbar: %v");
  const char* debug = std::getenv("BUSBAR_DEBUG");
  logger->set_level(debug != nullptr && *debug != '\0' ? spdlog::level::debug
                                                       : spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void say(LogLevel level, std::string_view text) {
  const char* mark = level == LogLevel::warning ? "warning: "
                     : level == LogLevel::error ? "error: "
                                                : "";
  spdlog::log(level_of(level), "{}{}", mark, text);
}

LogCallback library_log() {
  return [](LogLevel level, std::string_view text) { say(level, text); };
}

}  // namespace busbar::program

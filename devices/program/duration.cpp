#include "program/duration.hpp"

#include <busbar/core/error.hpp>
#include <busbar/devices/internal/duration.hpp>

namespace busbar::program {

std::chrono::milliseconds parse_duration(std::string_view text, const std::string& subject) {
  if (const auto duration = detail::parse_duration(text)) return *duration;
  throw Error{ErrorKind::usage, subject, "'" + printable(text) + "' is no length of time",
              "write 500ms, 5s, 1min or 2h; at most a day"};
}

std::string format_duration(std::chrono::milliseconds duration) {
  return detail::duration_text(duration);
}

}  // namespace busbar::program

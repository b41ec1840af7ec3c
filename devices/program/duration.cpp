#include "program/duration.hpp"

#include <algorithm>
#include <string>

#include <busbar/core/error.hpp>
#include <busbar/devices/internal/duration.hpp>

namespace busbar::program {
namespace {

/// A whole number, and a unit that we know.
bool is_too_long(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  return digits > 0 && detail::parse_duration("0" + std::string{text.substr(digits)});
}

}  // namespace

std::chrono::milliseconds parse_duration(std::string_view text, const std::string& subject) {
  if (const auto duration = detail::parse_duration(text)) return *duration;
  const char* const wrong = is_too_long(text) ? "' is above a day" : "' is no length of time";
  throw Error{ErrorKind::usage, subject, "'" + printable(text) + wrong,
              "write 500ms, 5s, 1min or 2h; at most a day"};
}

std::string format_duration(std::chrono::milliseconds duration) {
  return detail::duration_text(duration);
}

}  // namespace busbar::program

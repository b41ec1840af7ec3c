#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

#include <busbar/devices/internal/duration.hpp>

namespace busbar::detail {

using std::chrono::milliseconds;

namespace {

constexpr std::array<std::pair<std::string_view, std::int64_t>, 4> units{
    {{"h", 3'600'000}, {"min", 60'000}, {"s", 1000}, {"ms", 1}}};

}  // namespace

std::optional<milliseconds> parse_duration(std::string_view text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, number);
  if (failure != std::errc{} || number < 0 || number > longest_duration.count()) return {};
  const std::string_view unit{rest, static_cast<std::size_t>(end - rest)};
  for (const auto& [name, length] : units) {
    if (unit != name) continue;
    const milliseconds duration{number * length};
    if (duration <= longest_duration) return duration;
  }
  return {};
}

std::string duration_text(milliseconds duration) {
  for (const auto& [name, length] : units) {
    if (duration.count() != 0 && duration.count() % length == 0) {
      return std::to_string(duration.count() / length) + std::string{name};
    }
  }
  return "0s";
}

}  // namespace busbar::detail

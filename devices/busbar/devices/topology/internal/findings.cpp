#include <algorithm>

#include <busbar/core/error.hpp>
#include <busbar/devices/topology/internal/findings.hpp>

namespace busbar::detail {

namespace {

constexpr std::string_view name_letters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

}  // namespace

void throw_findings(const std::string& operation, std::vector<Finding> findings) {
  if (findings.empty()) return;
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.place.line < b.place.line; });
  const bool one = findings.size() == 1;
  std::string cause = std::to_string(findings.size()) + (one ? " mistake" : " mistakes");
  for (const Finding& finding : findings) cause += "\n" + finding.str();
  throw Error(ErrorKind::usage, operation, cause);
}

bool is_device_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of(name_letters) == std::string_view::npos;
}

std::pair<std::string_view, std::string_view> split_end(std::string_view end) noexcept {
  const std::size_t dot = end.find('.');
  if (dot == std::string_view::npos || !is_device_name(end.substr(0, dot))) return {};
  return {end.substr(0, dot), end.substr(dot + 1)};
}

std::string suggestion(std::string_view word, const std::vector<std::string_view>& candidates) {
  const std::string_view best = nearest(word, candidates);
  return best.empty() ? std::string{} : " (did you mean '" + std::string{best} + "'?)";
}

}  // namespace busbar::detail

#include <algorithm>
#include <numeric>

#include <busbar/core/error.hpp>
#include <busbar/devices/topology/internal/findings.hpp>

namespace busbar::detail {

namespace {

constexpr std::string_view name_letters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
constexpr std::size_t suggestible = 40;

/// Levenshtein's distance, a row at a time.
std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

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
  if (word.size() > suggestible) return {};
  std::string_view best;
  std::size_t fewest = word.size() / 2 + 1;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > suggestible) continue;
    const std::size_t distance = edits(word, candidate);
    if (distance >= fewest) continue;
    fewest = distance;
    best = candidate;
  }
  return best.empty() ? std::string{} : " (did you mean '" + std::string{best} + "'?)";
}

std::string listed(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

}  // namespace busbar::detail

#include "program/bench/report.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace busbar::program::bench {

Spread::Spread(std::vector<double> values) {
  if (values.empty()) return;
  measured = true;
  std::sort(values.begin(), values.end());
  low = values.front();
  high = values.back();
  const std::size_t half = values.size() / 2;
  median = values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::string Spread::str(const char* format) const {
  if (!measured) return "-";
  std::array<char, 96> text{};
  std::snprintf(text.data(), text.size(), format, median, low, high);
  return text.data();
}

nlohmann::json Spread::json() const {
  if (!measured) return nullptr;
  return {{"median", median}, {"low", low}, {"high", high}};
}

std::vector<double> ratios(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> all;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    if (b[i] > 0) all.push_back(a[i] / b[i]);
  return all;
}

std::string Table::str() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return text;
}

}  // namespace busbar::program::bench

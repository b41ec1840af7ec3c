/// Medians of pairs' ratios, as a table and as JSON.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace busbar::program::bench {

/// The median and the spread of some ratios (or figures); `-`, and null in JSON, where there are
/// none because that was not measured.
struct Spread {
  bool measured = false;
  double median = 0;
  double low = 0;
  double high = 0;

  explicit Spread(std::vector<double> values);
  std::string str(const char* format = "%.2f (%.2f to %.2f)") const;
  nlohmann::json json() const;
};

/// `a[i] / b[i]`, without the pairs that could not be measured.
std::vector<double> ratios(const std::vector<double>& a, const std::vector<double>& b);

/// Columns as wide as their widest cell.
class Table {
 public:
  explicit Table(std::vector<std::string> headings) : rows_{std::move(headings)} {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string str() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace busbar::program::bench

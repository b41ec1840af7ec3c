/// One run of `busbar bench`: what its measurements share.
#pragma once

#include "program/bench/bench.hpp"
#include "program/bench/report.hpp"
#include "program/progress.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace busbar::program::bench {

/// Empty lists name all.
bool names(const std::vector<std::string>& words, std::string_view word);

/// `own`, and of the others those that are asked for and can be measured here.
template <class What>
std::vector<What> with_others(const Options& options, std::vector<What> own,
                              std::initializer_list<What> others) {
  for (const What other : others)
    if (names(options.against, name_of(other)) && why_not(other).empty()) own.push_back(other);
  return own;
}

/// Figures of one subject, one for each pair.
using Series = std::vector<double>;

class Run {
 public:
  Run(const Options& options, std::size_t trials)
      : options_(options), progress_("bench", trials, options.progress) {}

  const Options& options() const noexcept { return options_; }
  void advance(std::size_t trials = 1) { progress_.at(done_ += trials); }
  /// On stderr, where no bar shows it: what runs now.
  void begin(std::string_view what, std::size_t trials) const;
  /// A table, unless all goes as JSON; and what goes as JSON.
  void show(const std::string& title, const Table& table) const;
  nlohmann::json& report(const char* name) { return report_[name]; }
  /// Prints what is left to print.
  void end() const;

 private:
  const Options& options_;
  Progress progress_;
  std::size_t done_ = 0;
  nlohmann::json report_ = nlohmann::json::object();
};

/// `measure` is called for each in turn, again and again: A B C A B C …. Answers what it answered
/// for each.
template <class What, class Measure>
auto alternate(Run& run, const std::vector<What>& all, Measure measure, std::size_t trials = 1) {
  std::map<What, std::vector<decltype(measure(all.front()))>> answers;
  for (std::size_t pair = 0; pair < run.options().pairs; ++pair)
    for (const What what : all) {
      answers[what].push_back(measure(what));
      run.advance(trials);
    }
  return answers;
}

/// One member of the figures of each.
template <class What, class Figures>
std::map<What, Series> pick(const std::map<What, std::vector<Figures>>& all,
                            double Figures::*member) {
  std::map<What, Series> picked;
  for (const auto& [what, figures] : all)
    for (const Figures& one : figures) picked[what].push_back(one.*member);
  return picked;
}

template <class What>
Spread spread(const std::map<What, Series>& all, What what) {
  const auto series = all.find(what);
  return Spread{series == all.end() ? Series{} : series->second};
}

/// Of what was not measured there is none.
template <class What>
Spread ratio(const std::map<What, Series>& all, What what, What of) {
  const auto one = all.find(what);
  const auto other = all.find(of);
  if (one == all.end() || other == all.end()) return Spread{{}};
  return Spread{ratios(one->second, other->second)};
}

}  // namespace busbar::program::bench

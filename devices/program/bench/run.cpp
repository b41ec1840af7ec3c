#include "program/bench/run.hpp"

#include "program/show.hpp"
#include "program/talk.hpp"

#include <algorithm>
#include <iostream>

namespace busbar::program::bench {

bool names(const std::vector<std::string>& words, std::string_view word) {
  return words.empty() || std::find(words.begin(), words.end(), word) != words.end();
}

void Run::begin(std::string_view what, std::size_t trials) const {
  if (!progress_.shown()) say("bench " + std::string{what} + ": " + counted(trials, "run"));
}

void Run::show(const std::string& title, const Table& table) const {
  if (!options_.json) std::cout << title << '\n' << table.str() << '\n' << std::flush;
}

void Run::end() const {
  if (options_.json) std::cout << line(report_);
  std::cout << std::flush;
}

}  // namespace busbar::program::bench

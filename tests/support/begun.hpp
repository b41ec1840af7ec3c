/// What servers in processes of their own wrote down when they began it, a line for each request.
#pragma once

#include <fstream>
#include <map>
#include <string>

#include <doctest/doctest.h>

#include <busbar/patterns/reply.hpp>

namespace busbar::testing {

/// What became of requests that are made once.
using Outcomes = std::map<std::string, Outcome>;

/// How often each request was begun.
inline std::map<std::string, int> begun(const std::string& log) {
  std::map<std::string, int> all;
  std::ifstream file{log};
  for (std::string line; std::getline(file, line);) ++all[line];
  return all;
}

inline void check_once_at_most(const Outcomes& once, const std::map<std::string, int>& begun) {
  for (const auto& entry : once) {
    const std::string& text = entry.first;
    const Outcome outcome = entry.second;
    CAPTURE(text);
    CAPTURE(name_of(outcome));
    const auto found = begun.find(text);
    const int times = found == begun.end() ? 0 : found->second;
    CHECK(times <= 1);
    if (outcome == Outcome::replied) CHECK(times == 1);
    if (outcome == Outcome::no_peer || outcome == Outcome::refused) CHECK(times == 0);
  }
}

}  // namespace busbar::testing

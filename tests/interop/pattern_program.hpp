/// What the pattern_… programs have in common: they write lines, and obey those on their input.
#pragma once

#include <cstdint>
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>

#include <busbar/core/event_loop.hpp>

namespace busbar {

inline void say(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

/// ` name value`, as a part of a report.
inline std::string item(std::string_view name, std::uint64_t value) {
  return ' ' + std::string{name} + ' ' + std::to_string(value);
}

/// Runs `loop` until the end of the input, whose lines go to `obey`.
template <class Obey>
void run_by_input(EventLoop& loop, Obey obey) {
  std::ios::sync_with_stdio(false);  // so that `in_avail` knows what was read
  loop.add(0, [&loop, obey = std::move(obey)] {
    std::string line;
    do std::getline(std::cin, line) ? obey(line) : loop.stop();
    while (std::cin.rdbuf()->in_avail() > 0);
  });
  loop.run();
}

}  // namespace busbar

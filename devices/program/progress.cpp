#include "program/progress.hpp"

#include <algorithm>
#include <iostream>
#include <unistd.h>

namespace busbar::program {
namespace {

constexpr std::size_t width = 40;
constexpr std::chrono::milliseconds pause{100};

}  // namespace

Progress::Progress(std::string label, std::uint64_t total, bool always)
    : label_(std::move(label)),
      total_(total),
      shown_(total > 0 &&
             (always || (::isatty(STDERR_FILENO) != 0 && ::isatty(STDOUT_FILENO) == 0))) {}

Progress::~Progress() {
  if (drawn_) std::cerr << '\n';
}

void Progress::draw_if_due(std::uint64_t done) {
  const auto now = std::chrono::steady_clock::now();
  done = std::min(done, total_);
  if (done == last_ || (now < next_ && done < total_)) return;
  next_ = now + pause;
  last_ = done;
  drawn_ = true;
  const auto part = static_cast<double>(done) / static_cast<double>(total_);
  std::string bar(static_cast<std::size_t>(part * width), '#');
  bar.resize(width, '.');
  std::cerr << '\r' << label_ << " [" << bar << "] " << static_cast<int>(part * 100) << " % "
            << done << " of " << total_ << std::flush;
}

}  // namespace busbar::program

/// A bar on stderr for work whose end is known.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace busbar::program {

class Progress {
 public:
  /// Shows nothing where `total` is 0, or unless stderr is a terminal (and stdout is none, so that
  /// bar and data do not mix) or `always` is set.
  Progress(std::string label, std::uint64_t total, bool always);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  bool shown() const noexcept { return shown_; }
  /// Cheap; draws at most ten times a second, and at the end.
  void at(std::uint64_t done) {
    if (shown_) draw_if_due(done);
  }

 private:
  void draw_if_due(std::uint64_t done);

  std::string label_;
  std::uint64_t total_;
  bool shown_;
  bool drawn_ = false;
  std::uint64_t last_ = 0;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace busbar::program

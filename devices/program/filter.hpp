/// A program that answers each line with a line.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <sys/types.h>

namespace busbar::program {

class Filter {
 public:
  /// Starts `/bin/sh -c command`. Throws Error.
  explicit Filter(const std::string& command);
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;
  /// Closes its stdin, gives it a second to end by itself, and kills what is left of it and of what
  /// it has started; at once where `answer` threw.
  ~Filter();
  /// Closes its stdin: of several all may end at the same time.
  void end_of_input();

  /// It waits for a line. False: it ended, wrote what nobody asked for, both of which is logged, or
  /// `answer` threw; it is of no use any more.
  bool ready();
  /// Once it is ready. Writes the line and reads one. `interrupted` is asked every 20 ms. Throws
  /// Error: it ended, or wrote more than that line (refused), or took too long or was interrupted
  /// (timeout).
  std::string answer(std::string line, std::chrono::milliseconds timeout,
                     const std::function<bool()>& interrupted);

 private:
  void check_silent() const;
  void read_some();
  void exchange(const std::string& line, std::size_t& written, int wait_ms);
  std::string name_;
  pid_t child_ = -1;
  int in_ = -1;   ///< its stdin
  int out_ = -1;  ///< its stdout
  std::string buffer_;
  bool out_of_step_ = false;
};

}  // namespace busbar::program

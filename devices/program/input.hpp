/// Lines, or whole files, from stdin or from files, without blocking on a terminal or a pipe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace busbar::program {

class Input {
 public:
  /// No files: stdin. `-` among them is stdin too. Throws Error where one cannot be opened.
  Input(std::vector<std::string> files, bool whole);
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  ~Input();

  enum class State { item, wait, end };
  /// The next line without its newline, or the next file; `wait`: poll `descriptor` first.
  /// Throws Error: it cannot be read, or is longer than a message may be.
  State next(std::string& into);
  int descriptor() const noexcept { return descriptor_; }

  /// `line 12`, or `app.log:12`: where the last item came from.
  std::string place() const;
  std::uint64_t bytes_read() const noexcept { return bytes_read_; }
  /// Of all files together; 0 where that is not known.
  std::uint64_t bytes_total() const noexcept { return bytes_total_; }

 private:
  const std::string& file() const;
  std::string name() const;
  bool open_next();
  bool take_line(std::string& into);
  bool take_rest(std::string& into);
  State fill();

  std::vector<std::string> files_;
  bool whole_;
  std::size_t next_file_ = 0;
  int descriptor_ = -1;
  bool at_end_ = false;
  std::string buffer_;
  std::size_t begin_ = 0;    ///< of what is not taken yet
  std::size_t scanned_ = 0;  ///< no newline before
  std::uint64_t line_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_total_ = 0;
};

}  // namespace busbar::program

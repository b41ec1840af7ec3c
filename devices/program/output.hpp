/// Where data goes: gathered under a flood, written at once when nothing more is there.
#pragma once

#include <cstdint>
#include <optional>
#include <streambuf>
#include <string>

#include <busbar/core/error.hpp>

namespace busbar::program {

class Output {
 public:
  /// Empty: stdout. Throws Error where the file cannot be written.
  explicit Output(const std::string& file);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output();

  /// What the file had goes, at the first call: there is something to write.
  void begin();
  /// Append to this, then call `added`.
  std::string& buffer() noexcept { return buffer_; }
  /// Writes where much has gathered. False: whoever read from us is gone.
  [[nodiscard]] bool added() { return buffer_.size() < (256u << 10) || flush(); }
  /// Writes all. False: whoever read from us is gone. Throws Error: disk full, and the like.
  [[nodiscard]] bool flush();
  /// For polling: it has an error when whoever read from us is gone.
  int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_;
  std::string name_;
  std::string buffer_;
  bool begun_ = false;
};

/// Stands behind std::cout while it lives, and remembers what could not be written. A reader that
/// is gone is no failure: it had enough.
class StandardOutput : private std::streambuf {
 public:
  StandardOutput();
  StandardOutput(const StandardOutput&) = delete;
  StandardOutput& operator=(const StandardOutput&) = delete;
  ~StandardOutput() override;

  /// Writes the rest. Throws Error where anything could not be written since the beginning.
  void finish();

 private:
  int_type overflow(int_type character) override;
  std::streamsize xsputn(const char* text, std::streamsize size) override;
  int sync() override;

  Output output_{""};
  std::optional<Error> failure_;
  std::streambuf* before_;
};

/// Occupies those of stdin, stdout and stderr that we were started without: else the next file or
/// socket that is opened would be taken for them. Using them fails as if they were closed.
void occupy_standard_descriptors();

}  // namespace busbar::program

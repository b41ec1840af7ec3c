/// Where received lines go: gathered under a flood, written at once when nothing more is there.
#pragma once

#include <cstdint>
#include <string>

namespace busbar::program {

class Output {
 public:
  /// Empty: stdout. Throws Error where the file cannot be written.
  explicit Output(const std::string& file);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output();

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
};

}  // namespace busbar::program

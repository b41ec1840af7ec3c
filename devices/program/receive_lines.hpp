/// The flow that sub and pull share: messages in, lines out.
#pragma once

#include "program/messages.hpp"
#include "program/output.hpp"
#include "program/progress.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <busbar/patterns/message.hpp>

namespace busbar::program {

/// Where received messages become lines.
class Lines {
 public:
  /// Throws Error where the output cannot be written.
  explicit Lines(const MessageOptions& options);
  void begin() { output_.begin(); }

  /// Append one message's line to this, or its bytes with --whole; then call `added`.
  std::string& buffer() noexcept { return output_.buffer(); }
  /// Counts it, and writes where much has gathered.
  void added();
  /// Writes all. False: whoever reads from us is gone.
  [[nodiscard]] bool flush();
  /// No more is wanted: --count is reached, or whoever reads from us is gone.
  bool done() const noexcept {
    return gone_ || (options_.count > 0 && received_ >= options_.count);
  }
  std::uint64_t received() const noexcept { return received_; }
  /// Breaks when whoever reads from us is gone.
  int descriptor() const noexcept { return output_.descriptor(); }

 private:
  const MessageOptions& options_;
  Output output_;
  Progress progress_;
  std::uint64_t received_ = 0;
  bool gone_ = false;
};

/// What messages come from.
class Source {
 public:
  virtual ~Source() = default;
  /// Hands over some of what is there until `lines.done()`. False: nothing was there.
  virtual bool read(Lines& lines) = 0;
  /// All that was read is written.
  virtual void written() {}
  /// As Waiter::wait does, for the next message too.
  virtual void wait(int output, std::optional<std::chrono::milliseconds> timeout) = 0;
  virtual bool ended() const = 0;  ///< By a signal, or as the output broke in the last wait.
  [[noreturn]] virtual void give_up(const std::string& cause, const std::string& remedy) = 0;
};

/// Writes what comes until --count, --timeout, a signal, or until nobody reads any more. Answers
/// the exit code.
int receive_lines(Source& source, Lines& lines, const MessageOptions& options);

}  // namespace busbar::program

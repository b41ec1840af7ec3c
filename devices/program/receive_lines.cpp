#include "program/receive_lines.hpp"

#include "program/command.hpp"
#include "program/duration.hpp"
#include "program/show.hpp"

namespace busbar::program {

using std::chrono::steady_clock;

Lines::Lines(const MessageOptions& options)
    : options_(options),
      output_(options.files.empty() ? "" : options.files.front()),
      progress_(options.command, options.count, options.progress) {}

void Lines::added() {
  begin();
  progress_.at(++received_);
  if (!output_.added()) gone_ = true;
}

bool Lines::flush() {
  if (!gone_ && !output_.flush()) gone_ = true;
  return !gone_;
}

int receive_lines(Source& source, Lines& lines, const MessageOptions& options) {
  auto last = steady_clock::now();
  while (true) {
    if (source.read(lines)) last = steady_clock::now();
    if (!lines.flush()) return exit_ok;
    source.written();
    if (lines.done() || source.ended()) {
      lines.begin();  // nothing came, and that is what the file shall say
      return exit_ok;
    }
    std::optional<std::chrono::milliseconds> left;
    if (options.timeout) {
      left = std::chrono::ceil<std::chrono::milliseconds>(last + *options.timeout -
                                                          steady_clock::now());
      if (left->count() <= 0)
        source.give_up("no message for " + format_duration(*options.timeout) + " after " +
                           counted(lines.received(), "message"),
                       "is anybody sending? Or give a longer --timeout");
    }
    source.wait(lines.descriptor(), left);
  }
}

}  // namespace busbar::program

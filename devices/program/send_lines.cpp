#include "program/send_lines.hpp"

#include "program/progress.hpp"

#include <busbar/core/error.hpp>

namespace busbar::program {
namespace {

bool is_blank(const std::string& line) { return line.find_first_not_of(" \t\r") == line.npos; }

}  // namespace

std::optional<std::string> send_lines(Waiter& waiter, Input& input, const MessageOptions& options,
                                      const SendOne& send_one, const AwaitPeer& await_peer) {
  Progress progress{options.command, input.bytes_total(), options.progress};
  std::string line;
  std::uint64_t sent = 0;
  while (options.count == 0 || sent < options.count) {
    waiter.look();
    const Input::State state = input.next(line);
    if (state == Input::State::end) return std::nullopt;
    if (state == Input::State::wait) {
      if (waiter.asked_to_end()) return std::nullopt;
      waiter.wait(input.descriptor(), -1, std::nullopt);
      continue;
    }
    if (options.json && is_blank(line)) continue;
    const std::string place = input.place();
    if (waiter.asked_to_end()) return place;
    const Shape shape = options.whole ? Shape::plain : options.shape();
    Letter letter = parse_line(std::move(line), shape, place, options.payload_only);
    if (sent == 0 && await_peer) {
      await_peer();
      if (waiter.asked_to_end()) return place;
    }
    if (!send_one(std::move(letter), place)) return place;
    ++sent;
    progress.at(input.bytes_read());
  }
  return std::nullopt;
}

void check_all_answered(const Waiter& waiter, const std::string& subject,
                        const std::optional<std::string>& unanswered) {
  if (!unanswered) return;
  const std::string which = "no reply to " + *unanswered + " and what follows";
  if (waiter.asked_to_end())
    throw Error{ErrorKind::timeout, subject, "ended by a signal; " + which};
  throw Error{ErrorKind::refused, subject, "nobody reads what it writes; " + which};
}

}  // namespace busbar::program

/// The flow that pub, push and req share: lines in, each made into a message and sent.
#pragma once

#include "program/input.hpp"
#include "program/line_format.hpp"
#include "program/messages.hpp"
#include "program/waiter.hpp"

#include <functional>
#include <optional>
#include <string>

namespace busbar::program {

/// Takes one line's letter; `place` names it. False: it was not sent, and nothing more is to be.
using SendOne = std::function<bool(Letter letter, const std::string& place)>;

/// Waits for somebody to send to, or for a signal. Throws Error where nobody comes.
using AwaitPeer = std::function<void()>;

/// Reads until the input or --count ends or a signal comes. `await_peer` is called once, when the
/// first line is there: who has nothing to send has nothing to wait for. Answers the place of the
/// first line that is there and was not sent; empty: all were. Throws Error (usage) at a bad line.
std::optional<std::string> send_lines(Waiter& waiter, Input& input, const MessageOptions& options,
                                      const SendOne& send_one, const AwaitPeer& await_peer = {});

/// Throws Error where this line, and what follows, were left without a reply, or it was not
/// written: by a signal (timeout), or as nobody reads any more (refused).
void check_all_answered(const Waiter& waiter, const std::string& subject,
                        const std::optional<std::string>& unanswered);

}  // namespace busbar::program

/// The flow that pub, push and req share: lines in, each made into a message and sent.
#pragma once

#include "program/input.hpp"
#include "program/line_format.hpp"
#include "program/messages.hpp"
#include "program/waiter.hpp"

#include <functional>
#include <string>

namespace busbar::program {

/// Takes one line's letter; `place` names it. False: asked to end.
using SendOne = std::function<bool(Letter letter, const std::string& place)>;

/// Reads until the input or --count ends or a signal comes. Throws Error (usage) at a bad line.
void send_lines(Waiter& waiter, Input& input, const MessageOptions& options,
                const SendOne& send_one);

}  // namespace busbar::program

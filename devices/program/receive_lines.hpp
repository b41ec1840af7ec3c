/// The flow that sub and pull share: messages in, lines out.
#pragma once

#include "program/messages.hpp"
#include "program/session.hpp"

#include <functional>

namespace busbar::program {

/// Whether a message is meant for us.
using Accept = std::function<bool(const Multipart&)>;

/// Writes what is accepted until --count, --timeout, a signal, or until nobody reads any more.
/// `topics`: the first frame is the topic. Answers the exit code.
int receive_lines(Session& session, const MessageOptions& options, bool topics,
                  const Accept& accept);

}  // namespace busbar::program

/// A message as one line of text, both ways.
///
/// plain       the payload; with_topic puts `TOPIC<tab>` before it
/// json        `{"topic":"t","payload":"text"}`; a payload that is not UTF-8 is `{"base64":"…"}`.
///             Frames between topic and payload appear as `"frames":[…]`, and the header of a tap's
///             copy as `"tap":{"device":…,"direction":…,"time":…}`, on output only. On input
///             a payload that is no string and no `{"base64":…}` is sent as its own JSON text.
#pragma once

#include <string>
#include <string_view>

#include <busbar/core/multipart.hpp>

namespace busbar::program {

enum class Shape { plain, with_topic, json };

struct Letter {
  std::string topic = {};  ///< Empty where the line names none.
  std::string payload = {};
};

/// Throws Error (usage) where the line is not of this shape; `place` names it: `line 12`.
Letter parse_line(std::string line, Shape shape, const std::string& place);

/// Appends `message` from frame `first` on, which is the topic where `topics` is set, and a
/// newline. The last frame is the payload.
void append_line(std::string& out, const Multipart& message, std::size_t first, bool topics,
                 Shape shape);

}  // namespace busbar::program

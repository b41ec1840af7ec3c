/// A message as one line of text, both ways.
///
/// plain       the payload; with_topic puts `TOPIC<tab>` before it, and on output what is not
///             printable in the topic is `\xNN`
/// json        `{"topic":"t","payload":"text"}`; a payload that is not UTF-8 is `{"base64":"…"}`.
///             A Busbar message has its `"headers":{…}`, and a published one `"publisher"`,
///             `"sequence"` and `"time"` (microseconds since 1970) as well; of those, input takes
///             the headers. Frames between topic and payload appear as `"frames":[…]`, and the
///             header of a tap's copy as `"tap":{"device":…,"direction":…,"time":…}`, on output
///             only. On input a payload that is no string and no `{"base64":…}` is sent as its own
///             JSON text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <busbar/core/multipart.hpp>
#include <busbar/patterns/message.hpp>

namespace busbar::program {

enum class Shape { plain, with_topic, json };

struct Letter {
  std::string topic = {};  ///< Empty where the line names none.
  std::string payload = {};
  Headers headers = {};
};

/// Throws Error (usage) where the line is not of this shape; `place` names it: `line 12`.
/// `payload_only`: where the letter goes there is no place for a topic and headers, so a JSON line
/// that has anything else is none of this shape.
Letter parse_line(std::string line, Shape shape, const std::string& place,
                  bool payload_only = false);

/// Appends `message` from frame `first` on, and a newline. The last frame is the payload.
void append_line(std::string& out, const Multipart& message, std::size_t first, Shape shape);
/// Appends what a subscriber received.
void append_line(std::string& out, const Message& message, Shape shape);
/// Appends what a puller received, which has no topic; `attempt`: see Work.
void append_line(std::string& out, const Message& message, std::uint32_t attempt, Shape shape);
/// The payload: the last frame, where a stock program sent several.
std::string_view payload_of(const Message& message);

}  // namespace busbar::program

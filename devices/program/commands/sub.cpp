#include "program/commands/commands.hpp"
#include "program/receive_lines.hpp"

#include <algorithm>
#include <memory>

#include <busbar/core/topic.hpp>

namespace busbar::program {
namespace {

std::vector<TopicPattern> patterns_of(const MessageOptions& options) {
  std::vector<TopicPattern> patterns{options.topics.begin(), options.topics.end()};
  for (const std::string& prefix : options.prefixes)
    patterns.push_back(TopicPattern::raw_prefix(prefix));
  if (patterns.empty()) patterns.push_back(TopicPattern::raw_prefix(""));
  return patterns;
}

int sub(const MessageOptions& options) {
  const std::vector<TopicPattern> patterns = patterns_of(options);
  Session session{SocketType::sub, options};
  for (const TopicPattern& pattern : patterns) session.socket().subscribe(pattern);
  return receive_lines(session, options, true, [&](const Multipart& message) {
    return !message.empty() &&
           std::any_of(patterns.begin(), patterns.end(), [&](const TopicPattern& pattern) {
             return pattern.matches(message.text(0));
           });
  });
}

}  // namespace

Command sub_command() {
  return {.name = "sub",
          .group = "Messages",
          .summary = "Write what publishers send, a line each",
          .details =
              "A topic is exact; * stands for one word and > for the rest. Without --topic and\n"
              "--prefix everything is written. With --json a line is "
              "{\"topic\":\"t\",\"payload\":\"text\"};\n"
              "bytes that are no text are {\"base64\":\"…\"} in the payload's place. What a tap "
              "says of\n"
              "a copy stands under \"tap\", with the time in nanoseconds since 1970.",
          .example = "  busbar sub tcp://127.0.0.1:5556 --topic 'app.>' --with-topic",
          .declare = [](CLI::App& app) -> Run {
            auto options = std::make_shared<MessageOptions>();
            declare_common(app, *options);
            add_list(app, "--topic", options->topics, "Subscribe to this topic or pattern", "T");
            add_list(app, "--prefix", options->prefixes,
                     "Subscribe to all that begins with these bytes", "BYTES");
            app.add_flag("--with-topic", options->with_topic, "Write TOPIC<tab>PAYLOAD");
            declare_receiving(app, *options);
            return [options] { return sub(*options); };
          }};
}

}  // namespace busbar::program

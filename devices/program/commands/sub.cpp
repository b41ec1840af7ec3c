#include "program/commands/commands.hpp"
#include "program/endpoints.hpp"
#include "program/line_format.hpp"
#include "program/receive_lines.hpp"
#include "program/show.hpp"
#include "program/talk.hpp"
#include "program/waiter.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <memory>

#include <busbar/core/error.hpp>
#include <busbar/patterns/subscriber.hpp>

namespace busbar::program {
namespace {

constexpr std::size_t burst = 10'000;

std::vector<TopicPattern> patterns_of(const MessageOptions& options) {
  std::vector<TopicPattern> patterns{options.topics.begin(), options.topics.end()};
  for (const std::string& prefix : options.prefixes)
    patterns.push_back(TopicPattern::raw_prefix(prefix));
  if (patterns.empty()) patterns.push_back(TopicPattern::raw_prefix(""));
  return patterns;
}

SubscriberOptions subscriber_options(const MessageOptions& options) {
  SubscriberOptions made{.name = options.command};
  place(made, options);
  return made;
}

void say_gap(const Gap& gap) {
  char id[17];
  std::snprintf(id, sizeof id, "%016" PRIx64, gap.publisher);
  std::string text = "gap: publisher ";
  text += gap.publisher_name.empty() ? std::string{id}
                                     : id + (" '" + printable(gap.publisher_name) + '\'');
  if (!gap.topic.empty()) text += ", topic '" + printable(gap.topic) + '\'';
  if (gap.missing() > 0)
    text += ", from " + std::to_string(gap.first) + " to " + std::to_string(gap.last);
  warn(text + ", cause " + std::string{name_of(gap.cause)});
}

class Subscribing final : public Source {
 public:
  explicit Subscribing(const MessageOptions& options)
      : options_(options), subscriber_(context_, subscriber_options(options)) {
    say_bound(options, subscriber_.bound());
    subscriber_.on_gap(say_gap);
    for (const TopicPattern& pattern : patterns_of(options)) subscriber_.subscribe(pattern);
  }
  ~Subscribing() override {
    if (const std::uint64_t broken = subscriber_.ledger().malformed; broken > 0)
      warn(counted(broken, "message") + " with a broken header or batch");
  }

  bool read(Lines& lines) override {
    std::size_t most = burst;
    if (options_.count > 0) most = std::min(most, options_.count - lines.received());
    return subscriber_.drain(
               [&](const Message& message) {
                 if (options_.whole)
                   lines.buffer() += payload_of(message);
                 else
                   append_line(lines.buffer(), message, options_.shape());
                 lines.added();
               },
               most) > 0;
  }
  void wait(int output, std::optional<std::chrono::milliseconds> timeout) override {
    waiter_.wait(subscriber_.fd(), output, timeout);
  }
  bool ended() const override { return waiter_.asked_to_end() || waiter_.output_broken(); }
  void give_up(const std::string& cause, const std::string& remedy) override {
    program::give_up(subject(options_), absence(subscriber_.ledger()), cause, remedy);
  }

 private:
  const MessageOptions& options_;
  Waiter waiter_;
  Context context_{{.log = library_log()}};
  Subscriber subscriber_;
};

}  // namespace

Command sub_command() {
  return {
      .name = "sub",
      .group = "Messages",
      .summary = "Write what publishers send, a line each",
      .details =
          "Reads Busbar publishers, batched or not, and stock ones. A topic is exact; * stands\n"
          "for one word and > for the rest. Without --topic and --prefix everything is "
          "written.\n"
          "What a Busbar publisher sent and did not come is fetched, and else told on stderr as "
          "a\n"
          "gap: publisher, topic, from, to, cause. With --json a line is\n"
          "{\"topic\":\"t\",\"payload\":\"text\"} with publisher, sequence, time (microseconds) "
          "and\n"
          "headers where there are; bytes that are no text are {\"base64\":\"…\"} in the "
          "payload's\n"
          "place. What a tap says of a copy stands under \"tap\", with the time in nanoseconds "
          "since\n"
          "1970.",
      .example = "  busbar sub tcp://127.0.0.1:5556 --topic 'app.>' --with-topic",
      .declare = [](CLI::App& app) -> Run {
        auto options = std::make_shared<MessageOptions>();
        declare_common(app, *options);
        add_list(app, "--topic", options->topics, "Subscribe to this topic or pattern", "T");
        add_list(app, "--prefix", options->prefixes,
                 "Subscribe to all that begins with these bytes", "BYTES");
        app.add_flag("--with-topic", options->with_topic, "Write TOPIC<tab>PAYLOAD");
        declare_receiving(app, *options);
        return [options] {
          Lines lines{*options};  // first: nobody is told of an end that cannot write
          Subscribing source{*options};
          return receive_lines(source, lines, *options);
        };
      }};
}

}  // namespace busbar::program

#include "program/commands/commands.hpp"
#include "program/duration.hpp"
#include "program/send_lines.hpp"
#include "program/sender.hpp"
#include "program/subscriptions.hpp"
#include "program/talk.hpp"

#include <exception>
#include <memory>

#include <busbar/core/error.hpp>
#include <busbar/core/topic.hpp>

namespace busbar::program {
namespace {

class Publishing {
 public:
  explicit Publishing(const MessageOptions& options)
      : options_(options),
        input_(options.files, options.whole),
        session_(SocketType::xpub, options, true),
        sender_(session_, options.patience()),
        topic_(options.topics.empty() ? "" : Topic{options.topics.front()}.str()) {}

  int run() {
    // Whoever binds may be the first to be there; whoever connects needs somebody to be there.
    if (!options_.bind && !sender_.await_peer()) return exit_ok;
    std::exception_ptr bad_line;
    try {
      send_lines(session_, input_, options_, [this](Letter letter, const std::string& place) {
        return publish(std::move(letter), place);
      });
    } catch (const std::exception&) {
      bad_line = std::current_exception();  // what was accepted before it goes out all the same
    }
    sender_.finish();
    if (unwanted_ > 0)
      warn(std::to_string(unwanted_) + " of " + std::to_string(sender_.sent()) +
           " messages had no subscriber");
    if (bad_line) std::rethrow_exception(bad_line);
    return exit_ok;
  }

 private:
  const std::string& topic_of(const Letter& letter, const std::string& place) {
    if (letter.topic.empty() && topic_.empty())
      throw Error{ErrorKind::usage, "read " + place, "it has no topic", "give --topic T"};
    if (letter.topic.empty() || letter.topic == known_good_)
      return letter.topic.empty() ? topic_ : known_good_;
    try {
      known_good_ = Topic{letter.topic}.str();
    } catch (const Error& error) {
      throw Error{error.kind(), "read " + place, error.what()};
    }
    return known_good_;
  }

  bool publish(Letter letter, const std::string& place) {
    const std::string& topic = topic_of(letter, place);
    if (sender_.sent() == 0) await_subscriber(topic);
    subscriptions_.read(session_.socket());
    Multipart message;
    message.push_back(std::string_view{topic});
    message.push_back(tracked_frame(std::move(letter.payload)));
    if (sender_.send(message, place) != Sender::Outcome::sent) return false;
    if (!subscriptions_.wants(topic)) ++unwanted_;
    return true;
  }

  void await_subscriber(const std::string& topic) {
    const auto give_up_at = std::chrono::steady_clock::now() + options_.wait;
    for (subscriptions_.read(session_.socket()); !subscriptions_.wants(topic);
         subscriptions_.read(session_.socket())) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(
          give_up_at - std::chrono::steady_clock::now());
      if (session_.asked_to_end()) return;
      if (left.count() <= 0)
        return warn("no subscriber for '" + topic + "' within " + format_duration(options_.wait) +
                    "; publishing all the same");
      session_.wait(ZMQ_POLLIN, left);
    }
  }

  const MessageOptions& options_;
  Input input_;
  Session session_;
  Sender sender_;
  Subscriptions subscriptions_;
  std::string topic_;
  std::string known_good_;
  std::uint64_t unwanted_ = 0;
};

int pub(const MessageOptions& options) {
  if (options.topics.empty() && options.shape() == Shape::plain)
    throw Error{ErrorKind::usage, options.command, "no topic is given",
                "give --topic T, or --with-topic, or --json"};
  return Publishing{options}.run();
}

}  // namespace

Command pub_command() {
  return {
      .name = "pub",
      .group = "Messages",
      .summary = "Publish each line",
      .details =
          "A message is two frames, topic and payload, as any ZeroMQ program knows it. With\n"
          "--json a line is {\"topic\":\"t\",\"payload\":\"text\"}; bytes that are no text are\n"
          "{\"base64\":\"…\"} in the payload's place. How many messages had no subscriber is said\n"
          "at the end. A bad line ends it with 2, after what came before it was sent.",
      .example = "  tail -F app.log | busbar pub tcp://127.0.0.1:5555 --topic app",
      .declare = [](CLI::App& app) -> Run {
        auto options = std::make_shared<MessageOptions>();
        declare_common(app, *options);
        app.add_option("--topic", options->topics, "Topic of lines that name none")
            ->type_name("T")
            ->expected(1);
        app.add_flag("--with-topic", options->with_topic, "A line is TOPIC<tab>PAYLOAD");
        add_duration(app, "--wait", options->wait, "How long to wait for the first subscriber");
        declare_sending(app, *options);
        return [options] { return pub(*options); };
      }};
}

}  // namespace busbar::program

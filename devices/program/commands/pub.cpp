#include "program/commands/commands.hpp"
#include "program/duration.hpp"
#include "program/endpoints.hpp"
#include "program/send_lines.hpp"
#include "program/show.hpp"
#include "program/talk.hpp"

#include <exception>
#include <memory>
#include <optional>

#include <busbar/core/clock.hpp>
#include <busbar/core/error.hpp>
#include <busbar/core/topic.hpp>
#include <busbar/patterns/publisher.hpp>

namespace busbar::program {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds look_again{2};

struct PubOptions {
  MessageOptions messages;
  std::string name;
  std::size_t subscribers = 0;
  milliseconds wait{1000};
  milliseconds stay{0};
  bool batch = false;
  bool last_value = false;
  std::string slow = "block";
};

PublisherOptions publisher_options(const PubOptions& options) {
  const MessageOptions& messages = options.messages;
  PublisherOptions made{.name = options.name,
                        .wire = messages.wire,
                        .late_join = options.last_value ? LateJoin::last_value : LateJoin::nothing,
                        .linger = messages.patience()};
  if (options.batch) made.batching.emplace();
  if (options.slow == "block") made.slow = SlowSubscriber::block;
  if (options.slow == "disconnect") made.slow = SlowSubscriber::disconnect;
  if (options.slow == "block") made.block_for = tick;
  place(made, messages);
  return made;
}

class Publishing {
 public:
  explicit Publishing(const PubOptions& options)
      : pub_(options),
        options_(options.messages),
        input_(options_.files, options_.whole),
        publisher_(std::in_place, *context_, publisher_options(options)),
        topic_(options_.topics.empty() ? "" : Topic{options_.topics.front()}.str()) {
    say_bound(options_, publisher_->bound());
  }

  int run() {
    std::exception_ptr bad_line;
    try {
      unsent_ = send_lines(
          waiter_, input_, options_,
          [this](const Letter& letter, const std::string& place) { return publish(letter, place); },
          [this] { await_peer(); });
    } catch (const std::exception&) {
      bad_line = std::current_exception();  // what was accepted before it goes out all the same
    }
    finish();
    if (bad_line) std::rethrow_exception(bad_line);
    return exit_ok;
  }

 private:
  /// Waits for `condition`, at most for `longest`. False: not in time, or asked to end.
  template <class Condition>
  bool await(Condition condition, milliseconds longest) {
    const auto end = steady_clock::now() + longest;
    while (!condition()) {
      if (waiter_.asked_to_end() || steady_clock::now() >= end) return false;
      waiter_.wait(look_again);
    }
    return true;
  }

  bool has_peer() const { return any_connected(publisher_->ledger().peers); }

  /// Whoever binds may be the first to be there; whoever connects needs somebody to be there.
  void await_peer() {
    if (options_.bind) return;
    if (await([this] { return has_peer(); }, options_.patience())) return;
    if (waiter_.asked_to_end()) return;
    give_up("no peer within " + format_duration(options_.patience()));
  }

  /// --wait-subscribers insists, --wait does not. False: asked to end meanwhile.
  bool await_subscribers(const std::string& topic) {
    const std::size_t wanted = std::max<std::size_t>(pub_.subscribers, 1);
    const milliseconds longest = pub_.subscribers > 0 ? options_.patience() : pub_.wait;
    const auto there = [&] { return publisher_->subscribers(topic) >= wanted; };
    if (std::exchange(awaited_, true) || await(there, longest)) return true;
    if (waiter_.asked_to_end()) return false;
    if (pub_.subscribers > 0)
      give_up(std::to_string(publisher_->subscribers(topic)) + " of " +
              counted(wanted, "subscriber") + " to '" + topic + "' within " +
              format_duration(longest));
    warn("no subscriber for '" + topic + "' within " + format_duration(longest) +
         "; publishing all the same");
    return true;
  }

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

  bool publish(const Letter& letter, const std::string& place) {
    const std::string& topic = topic_of(letter, place);
    const bool of_option = pub_.subscribers > 0 && !topic_.empty();
    if (!await_subscribers(of_option ? topic_ : topic)) return false;
    PublishOptions with{.headers = options_.headers};
    with.headers.insert(with.headers.end(), letter.headers.begin(), letter.headers.end());
    if (!with.headers.empty() && options_.wire == Wire::plain)
      throw Error{ErrorKind::usage, "read " + place, "--wire plain carries no headers"};
    give_up_at_ = steady_clock::now() + options_.patience();
    while (true) {
      switch (publisher_->publish(topic, letter.payload, with)) {
        case SendResult::sent:
          ++published_;
          if (!is_wanted(topic)) ++unwanted_;
          return true;
        case SendResult::too_large:
          throw Error{ErrorKind::usage, "send " + place, "it is larger than a message may be",
                      "send it in smaller messages"};
        case SendResult::full:
        case SendResult::no_peer:
          break;
      }
      waiter_.wait(milliseconds{0});
      if (waiter_.asked_to_stop_at_once()) return false;
      if (has_peer() && !waiter_.asked_to_end())
        give_up_at_ = steady_clock::now() + options_.patience();
      timed_out_ = steady_clock::now() >= give_up_at_;
      if (timed_out_) return false;  // `finish` says what was not sent
    }
  }

  /// Exact to a millisecond: asking costs more than publishing.
  bool is_wanted(const std::string& topic) {
    const auto now = steady_clock::now();
    if (topic != asked_topic_ || now >= ask_again_at_) {
      asked_topic_ = topic;
      ask_again_at_ = now + milliseconds{1};
      wanted_ = publisher_->subscribers(topic) > 0;
    }
    return wanted_;
  }

  /// Waits until subscribers have what was published, and says what they have not. One time is
  /// given for all of it, and begins anew only where something moves.
  void finish() {
    if (!timed_out_) give_up_at_ = steady_clock::now() + options_.patience();
    std::uint64_t left = publisher_->ledger().waiting;
    while (!in_time([this] { publisher_->flush(look_again); }) &&
           !waiter_.asked_to_stop_at_once() && steady_clock::now() < give_up_at_) {
      waiter_.wait(milliseconds{0});
      const std::uint64_t now_left = publisher_->ledger().waiting;
      if (now_left < left) give_up_at_ = steady_clock::now() + options_.patience();
      left = now_left;
    }
    if (pub_.stay > milliseconds{0} && published_ > 0) {
      await([] { return false; }, pub_.stay);
      give_up_at_ = std::max(give_up_at_, steady_clock::now() + options_.patience());
    }
    const PublisherLedger ledger = publisher_->ledger();
    say_losses(ledger);
    blocked_ = has_peer();
    (void)publisher_->stop(left_until(give_up_at_, steady_clock::now()));
    if (ledger.waiting > 0)
      give_up(counted(ledger.waiting, "message") + " of " + std::to_string(ledger.published) +
              " not handed to ZeroMQ, and the others perhaps not read");
    see_off(ledger.published);
    blocked_ = blocked_ && timed_out_;  // all that went out was read
    if (unsent_) give_up("");
  }

  /// Returns when all is sent and read, or gives up.
  void see_off(std::uint64_t published) {
    publisher_.reset();
    context_.reset();
    if (steady_clock::now() >= give_up_at_ && published > 0)
      give_up(counted(published, "message") + " handed to ZeroMQ, and not all of it read");
  }

  void say_losses(const PublisherLedger& ledger) const {
    if (unwanted_ > 0)
      warn(std::to_string(unwanted_) + " of " + std::to_string(published_) +
           " messages had no subscriber");
    if (ledger.disconnected > 0)
      warn(counted(ledger.disconnected, "slow subscriber") + " disconnected");
    if (ledger.dropped == 0) return;
    std::string text = std::to_string(ledger.dropped) + " of " + std::to_string(published_) +
                       " messages dropped for slow subscribers";
    for (const std::string& address : ledger.slow_peers) text += ' ' + printable(address);
    warn(text);
    for (const TopicCount& topic : ledger.dropped_topics)
      warn("dropped " + std::to_string(topic.messages) + " of topic '" + printable(topic.topic) +
           '\'');
  }

  /// Besides `cause`: what was not sent, and whether a peer holds it up.
  [[noreturn]] void give_up(std::string cause) {
    const auto add = [&](const std::string& more) { cause += (cause.empty() ? "" : "; ") + more; };
    if (blocked_) add("a peer does not read");
    if (unsent_) add("nothing sent from " + *unsent_ + " on");
    program::give_up(subject(options_), publisher_ ? absence(publisher_->ledger()) : Absence{},
                     cause,
                     blocked_ ? "let it read, or give a longer --timeout, or --slow drop"
                              : "start the other end, or give a longer --timeout");
  }

  const PubOptions& pub_;
  const MessageOptions& options_;
  Input input_;
  Waiter waiter_;
  std::optional<Context> context_{std::in_place, ContextOptions{.log = library_log()}};
  std::optional<Publisher> publisher_;
  std::string topic_;
  std::string known_good_;
  std::string asked_topic_;
  steady_clock::time_point ask_again_at_{};
  bool wanted_ = false;
  bool awaited_ = false;
  std::uint64_t published_ = 0;
  std::uint64_t unwanted_ = 0;
  steady_clock::time_point give_up_at_{};
  bool timed_out_ = false;             ///< A line found no room in time.
  bool blocked_ = false;               ///< A peer that is there has not read all.
  std::optional<std::string> unsent_;  ///< The first line that was not published.
};

int pub(const PubOptions& options) {
  const MessageOptions& messages = options.messages;
  if (messages.topics.empty() && messages.shape() == Shape::plain)
    throw Error{ErrorKind::usage, messages.command, "no topic is given",
                "give --topic T, or --with-topic, or --json"};
  check_wire(messages);
  return Publishing{options}.run();
}

void declare(CLI::App& app, PubOptions& options) {
  MessageOptions& messages = options.messages;
  declare_common(app, messages);
  app.add_option("--topic", messages.topics, "Topic of lines that name none")
      ->type_name("T")
      ->expected(1)
      ->allow_extra_args(false);
  app.add_flag("--with-topic", messages.with_topic, "A line is TOPIC<tab>PAYLOAD");
  declare_headers(app, messages);
  const CLI::Option* const name =
      app.add_option("--name", options.name, "Unique: subscribers notice a restart by it")
          ->type_name("NAME");
  add_duration(app, "--wait", options.wait,
               "How long to wait for the first subscriber; then without one");
  numbers(app.add_option("--wait-subscribers", options.subscribers,
                         "Insist on so many, for --timeout in place of --wait; else 4")
              ->type_name("N"),
          1, 1'000'000);
  const CLI::Option* const batch =
      app.add_flag("--batch", options.batch, "What gathers goes together: faster in a flood");
  const CLI::Option* const last_value = app.add_flag(
      "--last-value", options.last_value, "Who comes late gets each topic's last message");
  words(app.add_option("--slow", options.slow, "What happens for a subscriber that is too slow"),
        {"drop", "block", "disconnect"})
      ->capture_default_str();
  add_duration(app, "--stay", options.stay,
               "How long to stay at the end, for those who come late or ask again");
  declare_wire(app, messages, "plain: only topic and payload", {name, batch, last_value});
  declare_sending(app, messages);
}

}  // namespace

Command pub_command() {
  return {
      .name = "pub",
      .group = "Messages",
      .summary = "Publish each line",
      .details =
          "A message is one frame: topic, a header with what subscribers need to see and to\n"
          "fetch what they missed, and payload, for Busbar subscribers (busbar sub); --wire plain\n"
          "sends topic and payload as two frames, as stock SUBs want them. With --json a line is\n"
          "{\"topic\":\"t\",\"payload\":\"text\"}, and may have \"headers\":{…}; bytes that are "
          "no\n"
          "text are {\"base64\":\"…\"} in the payload's place. At the end it waits until all is "
          "read,\n"
          "and exits with 4 where nothing moves for --timeout; how many messages had no\n"
          "subscriber, or were dropped for a slow one, is said. A bad line ends it with 2, after\n"
          "what came before it was sent; a signal with 4 and the place of the first line that is\n"
          "there and was not sent.",
      .example = "  tail -F app.log | busbar pub tcp://127.0.0.1:5555 --topic app",
      .declare = [](CLI::App& app) -> Run {
        auto options = std::make_shared<PubOptions>();
        declare(app, *options);
        return [options] { return pub(*options); };
      }};
}

}  // namespace busbar::program

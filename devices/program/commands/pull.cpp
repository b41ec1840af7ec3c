#include "program/commands/commands.hpp"
#include "program/endpoints.hpp"
#include "program/line_format.hpp"
#include "program/receive_lines.hpp"
#include "program/session.hpp"
#include "program/talk.hpp"

#include <limits>
#include <memory>
#include <vector>

#include <busbar/patterns/puller.hpp>

namespace busbar::program {
namespace {

using std::chrono::milliseconds;

constexpr int burst = 10'000;

struct PullOptions {
  MessageOptions messages;
  std::uint32_t credit = PullerOptions{}.credit;
};

PullerOptions puller_options(const PullOptions& options) {
  PullerOptions made{.name = options.messages.command, .credit = options.credit};
  place(made, options.messages);
  return made;
}

/// Acknowledges what is written, and nothing before.
class Working final : public Source {
 public:
  explicit Working(const PullOptions& options)
      : options_(options.messages), puller_(context_, puller_options(options)) {
    say_bound(options_, puller_.bound());
  }

  bool read(Lines& lines) override {
    bool any = false;
    for (int i = 0; i < burst && !lines.done(); ++i) {
      if (!next_) next_ = puller_.receive();
      if (!next_) break;
      any = true;
      if (options_.whole)
        lines.buffer() += next_->payload();
      else
        append_line(lines.buffer(), next_->message(), next_->attempt(), options_.shape());
      lines.added();
      unwritten_.push_back(std::move(*next_));
      next_.reset();
    }
    return any;
  }
  void written() override {
    for (Work& work : unwritten_) work.done();
    unwritten_.clear();
  }
  void wait(int output, std::optional<milliseconds> timeout) override {
    next_ = puller_.receive(std::min(timeout.value_or(tick), tick));
    waiter_.wait(-1, output, milliseconds{0});
  }
  bool ended() const override { return waiter_.asked_to_end() || waiter_.output_broken(); }
  void give_up(const std::string& cause, const std::string& remedy) override {
    program::give_up(subject(options_), absence(puller_.ledger()), cause, remedy);
  }

 private:
  const MessageOptions& options_;
  Waiter waiter_;
  Context context_{{.log = library_log()}};
  Puller puller_;
  std::optional<Work> next_;
  std::vector<Work> unwritten_;
};

/// A stock PULL.
class PlainPulling final : public Source {
 public:
  explicit PlainPulling(const MessageOptions& options)
      : options_(options), session_(SocketType::pull, options) {}

  bool read(Lines& lines) override {
    bool any = false;
    for (int i = 0; i < burst && !lines.done() && session_.socket().receive(message_); ++i) {
      if (message_.empty()) continue;
      any = true;
      if (options_.whole)
        lines.buffer() += message_.text(message_.size() - 1);
      else
        append_line(lines.buffer(), message_, 0, options_.shape());
      lines.added();
    }
    return any;
  }
  void wait(int output, std::optional<milliseconds> timeout) override {
    session_.wait(ZMQ_POLLIN, -1, output, timeout);
  }
  bool ended() const override { return session_.asked_to_end() || session_.output_broken(); }
  void give_up(const std::string& cause, const std::string& remedy) override {
    session_.give_up(cause, remedy);
  }

 private:
  const MessageOptions& options_;
  Session session_;
  Multipart message_;
};

int pull(const PullOptions& options) {
  check_wire(options.messages);
  Lines lines{options.messages};  // first: nobody is told of an end that cannot write
  if (options.messages.wire == Wire::plain) {
    PlainPulling source{options.messages};
    return receive_lines(source, lines, options.messages);
  }
  Working source{options};
  return receive_lines(source, lines, options.messages);
}

}  // namespace

Command pull_command() {
  return {.name = "pull",
          .group = "Messages",
          .summary = "Write what pushers send, a line each",
          .details =
              "From busbar push and other Busbar pushers. A line is acknowledged once it is\n"
              "written; what was taken and not written when this ends, however it ends, goes to\n"
              "another puller. --json tells the headers, and the attempt of what is redelivered.\n"
              "With --wire plain from any PUSH, or a streamer without --credit: nothing is\n"
              "acknowledged. Of several frames the last is written; --json has them all.",
          .example =
              "  busbar pull tcp://127.0.0.1:5558 | while read -r file; do convert \"$file\"; done",
          .declare = [](CLI::App& app) -> Run {
            auto options = std::make_shared<PullOptions>();
            declare_common(app, options->messages);
            const CLI::Option* const credit =
                numbers(app.add_option("--credit", options->credit, "How much it is given ahead")
                            ->type_name("N")
                            ->capture_default_str(),
                        1, 1'000'000);
            declare_wire(app, options->messages, "plain: from stock PUSH", {credit});
            declare_receiving(app, options->messages);
            return [options] { return pull(*options); };
          }};
}

}  // namespace busbar::program

#include "program/receive_lines.hpp"

#include "program/command.hpp"
#include "program/duration.hpp"
#include "program/output.hpp"
#include "program/progress.hpp"
#include "program/show.hpp"

namespace busbar::program {
namespace {

class Receiving {
 public:
  Receiving(Session& session, const MessageOptions& options, bool topics, const Accept& accept)
      : session_(session),
        options_(options),
        topics_(topics),
        accept_(accept),
        output_(options.files.empty() ? "" : options.files.front()),
        progress_(options.command, options.count, options.progress) {}

  int run() {
    auto last = std::chrono::steady_clock::now();
    while (!done()) {
      if (read_all()) last = std::chrono::steady_clock::now();
      if (!output_.flush() || done() || session_.asked_to_end()) break;
      std::optional<std::chrono::milliseconds> left;
      if (options_.timeout) {
        left = std::chrono::ceil<std::chrono::milliseconds>(last + *options_.timeout -
                                                            std::chrono::steady_clock::now());
        if (left->count() <= 0) give_up();
      }
      session_.wait(ZMQ_POLLIN, output_.descriptor(), ZMQ_POLLERR, left);
      if (session_.descriptor_broken()) break;
    }
    (void)output_.flush();
    return exit_ok;
  }

 private:
  bool done() const { return options_.count > 0 && received_ >= options_.count; }

  /// Takes what is there, and looks up now and then for signals and the connections.
  bool read_all() {
    bool any = false;
    for (int burst = 0; burst < 10'000 && !done(); ++burst) {
      if (!session_.socket().receive(message_)) break;
      if (!accept_(message_)) continue;
      any = true;
      ++received_;
      if (options_.whole)
        output_.buffer() += message_.text(message_.size() - 1);
      else
        append_line(output_.buffer(), message_, 0, topics_, options_.shape());
      progress_.at(received_);
      if (!output_.added()) return any;
    }
    return any;
  }

  [[noreturn]] void give_up() {
    session_.give_up("no message for " + format_duration(*options_.timeout) + " after " +
                         counted(received_, "message"),
                     "is anybody sending? Or give a longer --timeout");
  }

  Session& session_;
  const MessageOptions& options_;
  bool topics_;
  const Accept& accept_;
  Output output_;
  Progress progress_;
  Multipart message_;
  std::uint64_t received_ = 0;
};

}  // namespace

int receive_lines(Session& session, const MessageOptions& options, bool topics,
                  const Accept& accept) {
  return Receiving{session, options, topics, accept}.run();
}

}  // namespace busbar::program

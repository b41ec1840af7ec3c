/// What the ways of rep share: how it answers, how often it has, and when it ends.
#pragma once

#include "program/counterpart.hpp"
#include "program/filter.hpp"
#include "program/messages.hpp"
#include "program/waiter.hpp"

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <busbar/core/multipart.hpp>

namespace busbar::program {

/// One of them.
struct AnswerOptions {
  bool echo = false;
  std::optional<std::string> reply = {};
  std::string command = {};  ///< Started by the shell; a line in, a line out.
};

class Desk {
 public:
  /// Starts as many of the command as there may be requests at a time. Throws Error.
  Desk(const MessageOptions& messages, const AnswerOptions& how, std::size_t at_a_time);
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;
  /// All commands have the same second to end in.
  ~Desk();

  /// To a request whose last frame is its payload, and whose frames begin at `first`; an echo is
  /// the payload. Empty: it has several lines, which a command cannot be given; that is logged. Any
  /// thread; `interrupted` is asked again and again. A command that takes long is waited for no
  /// longer than its request has `left`, but for 5 s at least. Throws Error: this request has
  /// failed, as the command ended, took too long, answered with several lines, or was interrupted;
  /// it is started anew.
  std::optional<std::string> answer(const Multipart& request, std::chrono::milliseconds left,
                                    std::size_t first = 0,
                                    const std::function<bool()>& interrupted = {});
  static constexpr auto no_deadline = std::chrono::milliseconds::max();
  /// One more is, or has failed. Any thread.
  void answered();
  std::uint64_t count() const noexcept { return answered_; }
  /// `answer` threw: where that was as all ends, the request counts as unanswered. Any thread.
  void failed() noexcept;
  /// Lets `wait` return. Any thread.
  void end() noexcept { ended_ = true; }

  /// Until a signal, `end`, --count, or --timeout in which nothing was answered or
  /// being answered.
  void wait(Waiter& waiter, Counterpart& counterpart, const std::function<Absence()>& absence);
  /// Runs `stop` in a thread of its own; after it, or a second signal, commands that still work are
  /// interrupted, and killed with the desk.
  void close(Waiter& waiter, const std::function<void()>& stop);
  /// How many requests that left unanswered.
  std::uint64_t interrupted() const noexcept { return interrupted_; }
  /// Throws what made it end, unless that was a signal, --count or `end`.
  void check() const;

 private:
  void wait_or_throw(Waiter& waiter, Counterpart& counterpart,
                     const std::function<Absence()>& absence);
  std::string filtered(std::string line, std::chrono::milliseconds left,
                       const std::function<bool()>& interrupted);
  std::unique_ptr<Filter> take_filter();
  void start_unless_ready(std::unique_ptr<Filter>& filter) const;
  void give_back(std::unique_ptr<Filter> filter);
  struct Borrowed {
    Desk& desk;
    std::unique_ptr<Filter> filter;
    ~Borrowed() { desk.give_back(std::move(filter)); }
  };

  const MessageOptions& messages_;
  const AnswerOptions& how_;
  std::atomic<std::uint64_t> answered_ = 0;
  std::atomic<int> at_work_ = 0;  ///< Commands.
  std::atomic<bool> ended_ = false;
  std::atomic<bool> closed_ = false;  ///< Nobody waits for a command any more.
  std::atomic<std::uint64_t> interrupted_ = 0;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Filter>> filters_;  ///< Those that are free; null: to be started.
  std::exception_ptr failure_;
};

}  // namespace busbar::program

/// What the ways of rep share: how it answers, how often it has, and when it ends.
#pragma once

#include "program/endpoints.hpp"
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

  /// To a request whose last frame is its payload, and whose frames begin at `first`; an echo is
  /// the payload. Empty: it has several lines, which a command cannot be given; that is logged. Any
  /// thread. Throws Error: the command has ended, takes too long, or answers with several lines.
  std::optional<std::string> answer(const Multipart& request, std::size_t first = 0);
  /// One more is. Any thread.
  void answered();
  std::uint64_t count() const noexcept { return answered_; }
  /// In a handler of what `answer` threw: the first of these is what `check` throws.
  void failed();
  /// Lets `wait` return. Any thread.
  void end() noexcept { ended_ = true; }

  /// Until a signal, `end`, a failure, --count, or --timeout in which nothing was answered or
  /// being answered.
  void wait(Waiter& waiter, const std::function<Absence()>& absence);
  /// Throws what made it end, unless that was a signal, --count or `end`.
  void check() const;

 private:
  void wait_or_throw(Waiter& waiter, const std::function<Absence()>& absence);
  std::optional<std::string> filtered(Filter& filter, const Multipart& request,
                                      std::size_t first) const;
  std::unique_ptr<Filter> take_filter();
  void give_back(std::unique_ptr<Filter> filter);

  const MessageOptions& messages_;
  const AnswerOptions& how_;
  std::atomic<std::uint64_t> answered_ = 0;
  std::atomic<int> at_work_ = 0;  ///< Commands.
  std::atomic<bool> ended_ = false;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Filter>> filters_;  ///< Those that are free.
  std::exception_ptr failure_;
};

}  // namespace busbar::program

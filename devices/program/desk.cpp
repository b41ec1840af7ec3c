#include "program/desk.hpp"

#include "program/progress.hpp"
#include "program/talk.hpp"

#include <algorithm>
#include <future>
#include <utility>

#include <busbar/core/clock.hpp>
#include <busbar/core/error.hpp>

namespace busbar::program {

using std::chrono::milliseconds;

namespace {
constexpr milliseconds command_patience{5000};
}  // namespace

Desk::Desk(const MessageOptions& messages, const AnswerOptions& how, std::size_t at_a_time)
    : messages_(messages), how_(how) {
  for (std::size_t i = 0; i < at_a_time && !how.command.empty(); ++i)
    filters_.push_back(std::make_unique<Filter>(how.command));
}

Desk::~Desk() {
  for (const auto& filter : filters_)
    if (filter) filter->end_of_input();
}

std::optional<std::string> Desk::answer(const Multipart& request, milliseconds left,
                                        std::size_t first,
                                        const std::function<bool()>& interrupted) {
  if (how_.reply) return *how_.reply;
  if (how_.echo)
    return first < request.size() ? std::string{request.text(request.size() - 1)} : std::string{};
  std::string line;
  append_line(line, request, first, messages_.shape());
  line.pop_back();
  if (line.find('\n') == std::string::npos) return filtered(std::move(line), left, interrupted);
  warn("refused a request of several lines; --json carries it as one line");
  return std::nullopt;
}

/// What a request may take is not bounded by its deadline alone: one of a moment would have a
/// command killed that is only a little slow.
std::string Desk::filtered(std::string line, milliseconds left,
                           const std::function<bool()>& interrupted) {
  const milliseconds patience =
      std::clamp(left, command_patience, std::max(messages_.patience(), command_patience));
  const auto stop = [&] {
    if (interrupted && interrupted()) closed_ = true;  // no command is started anew for nobody
    return closed_.load();
  };
  Borrowed borrowed{*this, take_filter()};
  start_unless_ready(borrowed.filter);
  return parse_line(borrowed.filter->answer(std::move(line), patience, stop), messages_.shape(),
                    "the command's answer")
      .payload;
}

std::unique_ptr<Filter> Desk::take_filter() {
  const std::scoped_lock lock{mutex_};
  std::unique_ptr<Filter> filter = std::move(filters_.back());
  filters_.pop_back();
  ++at_work_;
  return filter;
}

void Desk::start_unless_ready(std::unique_ptr<Filter>& filter) const {
  if (filter && filter->ready()) return;
  filter.reset();  // first: the next one may need what it holds
  filter = std::make_unique<Filter>(how_.command);
}

void Desk::give_back(std::unique_ptr<Filter> filter) {
  try {
    if (!closed_) start_unless_ready(filter);  // now, so that the next request need not wait for it
  } catch (const Error&) {
    filter.reset();  // the next request tries again, and is told
  }
  const std::scoped_lock lock{mutex_};
  filters_.push_back(std::move(filter));
  --at_work_;
}

void Desk::answered() {
  if (++answered_ == messages_.count) ended_ = true;
}

void Desk::failed() noexcept {
  if (closed_) ++interrupted_;
}

void Desk::wait(Waiter& waiter, Counterpart& counterpart, const std::function<Absence()>& absence) {
  try {
    wait_or_throw(waiter, counterpart, absence);
  } catch (const Error&) {
    failure_ = std::current_exception();
  }
}

void Desk::wait_or_throw(Waiter& waiter, Counterpart& counterpart,
                         const std::function<Absence()>& absence) {
  const auto deadline = [&] {
    return messages_.timeout ? after(Clock::steady().now(), *messages_.timeout) : TimePoint::max();
  };
  Progress progress{messages_.command, messages_.count, messages_.progress};
  TimePoint give_up_at = deadline();
  std::uint64_t seen = 0;
  while (!waiter.asked_to_end() && !ended_) {
    waiter.wait(tick);
    const std::uint64_t answered = answered_;
    if (answered != seen || at_work_ > 0) give_up_at = deadline();
    seen = answered;
    progress.at(answered);
    counterpart.look(absence());
    if (Clock::steady().now() >= give_up_at) counterpart.give_up(absence());
  }
}

void Desk::close(Waiter& waiter, const std::function<void()>& stop) {
  auto stopping = std::async(std::launch::async, stop);
  while (stopping.wait_for(milliseconds{0}) != std::future_status::ready) {
    if (stopping.wait_for(tick) == std::future_status::ready) break;
    waiter.wait(milliseconds{0});
    if (waiter.asked_to_stop_at_once()) closed_ = true;
  }
  closed_ = true;
  stopping.get();
}

void Desk::check() const {
  if (failure_) std::rethrow_exception(failure_);
}

}  // namespace busbar::program

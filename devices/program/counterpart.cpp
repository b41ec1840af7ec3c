#include "program/counterpart.hpp"

#include "program/duration.hpp"
#include "program/talk.hpp"

#include <utility>

#include <busbar/core/error.hpp>
#include <busbar/core/socket.hpp>

namespace busbar::program {
namespace {

constexpr std::chrono::milliseconds patience{1000};  // what has just been started with us comes

}  // namespace

Counterpart::Counterpart(const MessageOptions& options, std::string what)
    : options_(options),
      what_(std::move(what)),
      missed_(!options.bind),
      say_at_(after(Clock::steady().now(), patience)) {}

LogCallback Counterpart::log() {
  // Neither the ledger of a Replier nor that of a ServiceWorker tells of connections.
  const std::string mark = "': " + std::string{name_of(SocketEvent::Kind::connected)} + ' ';
  return [this, mark, pass_on = library_log()](LogLevel level, std::string_view text) {
    if (level == LogLevel::debug && text.find(mark) != text.npos) found();
    pass_on(level, text);
  };
}

void Counterpart::look(const Absence& absence) {
  if (!missed_ || Clock::steady().now() < say_at_) return;
  say_at_ = TimePoint::max();
  if (absence.handshake_failure.empty() && absence.unresolved.empty())
    warn(subject(options_) + ": no " + what_ + " yet; waiting for it");
}

void Counterpart::give_up(const Absence& absence) const {
  if (missed_)
    program::give_up(subject(options_), absence,
                     "no " + what_ + " within " + format_duration(options_.patience()),
                     "start it, or give a longer --timeout");
  program::give_up(subject(options_), absence, "no request in time",
                   "is anybody asking? Or give a longer --timeout");
}

}  // namespace busbar::program

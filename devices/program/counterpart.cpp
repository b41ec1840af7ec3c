#include "program/counterpart.hpp"

#include "program/duration.hpp"
#include "program/talk.hpp"

#include <utility>

#include <busbar/core/error.hpp>

namespace busbar::program {
namespace {

constexpr std::chrono::milliseconds patience{1000};  // what has just been started with us comes

}  // namespace

Counterpart::Counterpart(const MessageOptions& options, std::string what)
    : options_(options), what_(std::move(what)), say_at_(after(Clock::steady().now(), patience)) {}

void Counterpart::look(const Absence& absence) {
  if (!is_missed(absence) || Clock::steady().now() < say_at_) return;
  say_at_ = TimePoint::max();
  if (absence.handshake_failure.empty() && absence.unresolved.empty())
    warn(subject(options_) + ": no " + what_ + " yet; waiting for it");
}

void Counterpart::give_up(const Absence& absence) const {
  if (is_missed(absence))
    program::give_up(subject(options_), absence,
                     "no " + what_ + " within " + format_duration(options_.patience()),
                     "start it, or give a longer --timeout");
  program::give_up(subject(options_), absence, "no request in time",
                   "is anybody asking? Or give a longer --timeout");
}

}  // namespace busbar::program

/// The other end of a server that connects: a broker or a queue, which may not be there yet.
#pragma once

#include "program/endpoints.hpp"

#include <string>

#include <busbar/core/clock.hpp>

namespace busbar::program {

class Counterpart {
 public:
  /// `what` it is: `broker`. Of a server that binds none is missed.
  Counterpart(const MessageOptions& options, std::string what);

  /// Says once, after a while, that none is there yet; but not where the log has said why.
  void look(const Absence& absence);
  /// Where none came in time, or else no request. Throws Error as program::give_up does.
  [[noreturn]] void give_up(const Absence& absence) const;

 private:
  bool is_missed(const Absence& absence) const noexcept { return !options_.bind && !absence.met; }

  const MessageOptions& options_;
  const std::string what_;
  TimePoint say_at_;
};

}  // namespace busbar::program

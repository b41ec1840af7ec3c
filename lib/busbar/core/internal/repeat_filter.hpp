/// Keeps a peer that tries again and again from filling the log.
#pragma once

#include <map>
#include <string>

#include <busbar/core/clock.hpp>

namespace busbar::detail {

/// Lets each text through once in ten seconds. Bounded; not thread-safe.
class RepeatFilter {
 public:
  bool is_new(const std::string& text, TimePoint now) {
    if (quiet_until_.size() >= most) quiet_until_.clear();
    TimePoint& until = quiet_until_[text];
    if (now < until) return false;
    until = now + std::chrono::seconds{10};
    return true;
  }

 private:
  static constexpr std::size_t most = 256;
  std::map<std::string, TimePoint> quiet_until_;
};

}  // namespace busbar::detail

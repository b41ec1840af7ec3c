#include "busbar/protocol/delay_gauge.hpp"

#include <algorithm>

#include <busbar/protocol/request_codec.hpp>

namespace busbar::protocol {

using std::chrono::milliseconds;

namespace {

constexpr std::chrono::seconds rises_for{60};  // since a message

std::uint32_t between(std::uint64_t sent, TimePoint now) noexcept {
  const auto ours = std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count();
  return static_cast<std::uint32_t>(static_cast<std::uint64_t>(ours) - sent);
}

}  // namespace

milliseconds DelayGauge::delay(std::uint64_t sent, TimePoint now) noexcept {
  const auto passed = std::chrono::duration_cast<std::chrono::seconds>(now - at_);
  if (passed.count() > 0) {
    least_ += static_cast<std::uint32_t>(std::min(passed, rises_for).count());
    at_ += passed;
  }
  const std::uint32_t offset = between(sent, now);
  const auto delay = static_cast<std::int32_t>(offset - least_);
  if (delay <= 0) least_ = offset;
  return std::clamp(milliseconds{delay}, milliseconds{0}, deadline_max);
}

void DelayGauge::set(std::uint64_t sent, TimePoint now) noexcept {
  least_ = between(sent, now);
  at_ = now;
}

}  // namespace busbar::protocol

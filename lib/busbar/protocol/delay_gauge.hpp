/// How long messages were on their way, where clocks differ.
#pragma once

#include <chrono>
#include <cstdint>

#include <busbar/core/clock.hpp>

namespace busbar::protocol {

/// How long messages of a requester lay about on their way, from its clock and ours. At first the
/// two are taken to agree; from then on the quickest message of late is taken to have come at once.
/// The longer ago that was, the less it counts: 1 ms a second, for clocks that drift; but 60 ms at
/// most between two messages, as after a quiet hour what lay in a queue for seconds would look
/// quick. In 32 bits: clocks may differ by 24 days.
class DelayGauge {
 public:
  /// `utc`: what makes UTC of `now`.
  explicit DelayGauge(std::chrono::milliseconds utc = {}, TimePoint now = {}) noexcept
      : least_(static_cast<std::uint32_t>(-utc.count())), at_(now) {}
  std::chrono::milliseconds delay(std::uint64_t sent, TimePoint now) noexcept;
  /// This one came at once, whatever the clocks say.
  void set(std::uint64_t sent, TimePoint now) noexcept;

 private:
  std::uint32_t least_;  ///< Our clock less its, in ms.
  TimePoint at_;
};

}  // namespace busbar::protocol

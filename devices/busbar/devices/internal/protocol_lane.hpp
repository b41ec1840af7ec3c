/// What moves a device's messages where a protocol decides their way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <busbar/core/clock.hpp>

namespace busbar::detail {

/// In place of a relay's lanes. What its peers say to keep up their relation goes on while the
/// device is paused.
class ProtocolLane {
 public:
  virtual ~ProtocolLane() = default;
  /// Moves what there is, at most about `most` messages; `takes`: new ones too. Answers how many
  /// came.
  virtual std::size_t burst(TimePoint now, std::size_t most, bool takes) = 0;
  /// When `burst` wants to be called at the latest, whether or not something came.
  virtual TimePoint next_deadline() const noexcept = 0;
  /// Whether it would read from the frontend now.
  virtual bool reads() const { return true; }
  /// Before the last bursts: takes no more.
  virtual void close() {}
  /// Something that can still go on.
  virtual bool holds() const noexcept = 0;
  /// Requests that are with workers.
  virtual std::uint64_t replies_due() const noexcept { return 0; }
  /// For a report: what it holds that nobody is there to take.
  virtual std::vector<std::string> remains() const { return {}; }
  /// Gives back what it holds, and says goodbye; answers how many messages are abandoned.
  virtual std::uint64_t leave() = 0;
};

}  // namespace busbar::detail

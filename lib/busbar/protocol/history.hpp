/// What a publisher keeps of what it has sent, within bounds.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include <busbar/core/clock.hpp>
#include <busbar/core/multipart.hpp>

namespace busbar {

/// How much a publisher keeps for subscribers that missed something or come late. Whichever bound
/// is reached first counts; `messages` 0 keeps nothing.
struct HistoryLimits {
  std::size_t messages = 10'000;  ///< Of all streams together; a batch counts as one.
  /// Of them, with topic and header. A message above it is not kept, nor what its stream sent
  /// before.
  std::size_t bytes = 16u << 20;
  std::chrono::milliseconds age{60'000};  ///< Looked after once a second. 0: kept for a moment.
};

namespace protocol {

/// One message, or one batch, as it was sent.
struct Kept {
  std::uint32_t stream = 0;  ///< 0: of one that was forgotten.
  std::uint64_t first = 0;
  std::uint32_t count = 1;
  TimePoint sent_at{};
  std::uint64_t before = 0;  ///< The place of the stream's message before it, in the ring.
  Frame frame;

  std::uint64_t last() const noexcept { return first + count - 1; }
};

/// A ring over all streams, in which each message knows the one before it in its stream. Frames
/// are shared with what is being sent.
class History {
 public:
  explicit History(HistoryLimits limits) : limits_(limits) {}

  bool keeps() const noexcept { return limits_.messages > 0; }
  /// `sent` stays as it is; `first` must be behind all that the stream has here.
  void add(std::uint32_t stream, std::uint64_t first, std::uint32_t count, Frame& sent,
           TimePoint now);
  /// Lets go of what is too old.
  void expire(TimePoint now);
  /// Keeps nothing of the stream any more, as if it had never been.
  void forget(std::uint32_t stream);
  /// The lowest sequence number that is still kept of a stream, or `none` where none is.
  std::uint64_t kept_from(std::uint32_t stream, std::uint64_t none) const;

  /// Places in the order in which all was sent. What is there may be let go of meanwhile.
  struct Range {
    std::uint64_t at = 0;
    std::uint64_t end = 0;
  };
  Range all() const noexcept { return {oldest_, oldest_ + size_}; }
  /// From the message `first` of a stream to its message `last`, with others between them.
  Range range(std::uint32_t stream, std::uint64_t first, std::uint64_t last) const;
  /// The next one that is wanted, and moves behind it. Null: there is none.
  Kept* next(Range& range, const std::function<bool(const Kept&)>& wanted);
  std::size_t messages() const noexcept { return size_; }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  Kept& at(std::uint64_t number) noexcept { return ring_[number % ring_.size()]; }
  const Kept& at(std::uint64_t number) const noexcept { return ring_[number % ring_.size()]; }
  void drop_oldest();
  void grow();
  std::uint64_t& newest_of(std::uint32_t stream);
  void forget_old_streams();
  /// The place of a stream's newest message; one that is let go of where it has none.
  std::uint64_t newest_place(std::uint32_t stream) const;

  HistoryLimits limits_;
  std::vector<Kept> ring_;    ///< Its slots are used again, so keeping a message allocates nothing.
  std::uint64_t oldest_ = 1;  ///< Places before it are let go of.
  std::size_t size_ = 0;
  std::size_t bytes_ = 0;
  std::unordered_map<std::uint32_t, std::uint64_t> newest_;  ///< By stream; may be let go of.
  std::uint32_t latest_stream_ = 0;
  std::uint64_t* latest_newest_ = nullptr;  ///< Most traffic repeats its stream.
};

}  // namespace protocol
}  // namespace busbar

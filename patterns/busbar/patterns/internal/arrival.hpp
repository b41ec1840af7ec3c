/// One ZeroMQ message on its way to the user: one message of a publisher, or a batch of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <busbar/core/multipart.hpp>
#include <busbar/patterns/message.hpp>

namespace busbar::detail {

class Arrival {
 public:
  /// One frame with a header in it; or from a stock publisher topic, payload and any further
  /// frames, or all in one frame. Empty: a Busbar header that cannot be read. The frames are taken
  /// out of their slots.
  static std::optional<Arrival> from(Multipart& frames);

  bool has_header() const noexcept { return header_.sequence > 0; }
  const protocol::Header& header() const noexcept { return header_; }
  std::string_view topic() const noexcept { return topic_; }
  std::uint64_t first() const noexcept { return header_.sequence; }
  /// The sequence number behind its last message.
  std::uint64_t end() const noexcept { return header_.sequence + header_.messages(); }
  std::uint32_t messages() const noexcept { return header_.messages(); }
  std::size_t bytes() const noexcept { return bytes_; }
  /// What came in earlier has a lower one.
  std::uint64_t number = 0;
  bool was_fetched = false;  ///< Came because it was missing.

  /// Leaves out what is before `sequence`: it was delivered already.
  void skip_to(std::uint64_t sequence) noexcept { start_ = sequence; }
  /// Makes `message` the next one of it; between two calls it must stay as it is. False: there are
  /// no more, or the rest of a batch is broken.
  bool next(std::optional<Message>& message);
  /// How many `next` has still to answer; after it answered empty: how many were broken.
  std::uint64_t rest() const noexcept { return end() - std::max(at_, start_); }

 private:
  struct Owned {
    Frame first;
    std::vector<Frame> others;
  };
  static std::shared_ptr<const Owned> take(Multipart& frames);
  explicit Arrival(Multipart& frames);

  std::size_t bytes_;
  std::shared_ptr<const Owned> frames_;
  std::string_view topic_;
  std::string_view payload_;
  protocol::Header header_;
  protocol::BatchReader reader_;
  std::uint64_t at_ = 0;  ///< The sequence number of the message that is read next.
  std::uint64_t start_ = 0;
  Headers record_headers_;
  bool handed_out_ = false;  ///< The first message of a batch; the others differ little from it.
};

}  // namespace busbar::detail

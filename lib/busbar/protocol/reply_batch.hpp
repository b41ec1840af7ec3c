/// Answers that go back the same way, in one message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <busbar/core/multipart.hpp>
#include <busbar/protocol/request_codec.hpp>

namespace busbar::protocol {

/// Answers of a replier's to one requester. A message: the frames that lead back, and an answer.
class ReplyBatch {
 public:
  bool empty() const noexcept { return count_ == 0; }
  /// It leads the same way as those that are there, and there is room.
  bool takes(const Multipart& message) const noexcept;
  /// Requires `takes`. Leaves slots to be reused.
  void add(const RequestKey& key, Multipart& message);
  /// One message with all of them; an answer that is alone goes as it came. Requires !empty().
  Multipart take();

 private:
  RequestKey first_ = {};
  Multipart way_;        ///< What leads back, and the first answer.
  std::string records_;  ///< All of them, from the second on.
  std::uint32_t count_ = 0;
};

}  // namespace busbar::protocol

#include "busbar/protocol/reply_batch.hpp"

#include <algorithm>
#include <utility>

#include <busbar/protocol/header.hpp>

namespace busbar::protocol {

bool ReplyBatch::takes(const Multipart& message) const noexcept {
  if (count_ == 0) return true;
  if (count_ == batch_max || message.size() != way_.size()) return false;
  const std::size_t last = way_.size() - 1;
  const std::size_t held = count_ == 1 ? way_[last].size() : records_.size();
  if (held + message[last].size() > batch_bytes) return false;
  for (std::size_t i = 0; i < last; ++i) {
    if (message.text(i) != way_.text(i)) return false;
  }
  return true;
}

void ReplyBatch::add(const RequestKey& key, Multipart& message) {
  if (count_++ == 0) {
    first_ = key;
    std::swap(way_, message);
    return;
  }
  if (count_ == 2) append_record(records_, way_.text(way_.size() - 1));
  append_record(records_, message.text(message.size() - 1));
  message.clear();
}

Multipart ReplyBatch::take() {
  if (count_ > 1) way_[way_.size() - 1] = encode(BatchHead{first_, count_}, records_);
  records_.clear();
  count_ = 0;
  return std::exchange(way_, {});
}

}  // namespace busbar::protocol

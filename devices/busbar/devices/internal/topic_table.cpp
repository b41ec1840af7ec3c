#include "busbar/devices/internal/topic_table.hpp"

#include <algorithm>

#include <busbar/core/error.hpp>

namespace busbar::detail {

TopicTable::Map::value_type& TopicTable::find_or_add(std::string_view topic) {
  if (const auto found = counts_.find(topic); found != counts_.end()) return *found;
  if (counts_.size() >= capacity) forget_lesser_half();
  return *counts_.emplace(topic, Counts{}).first;
}

void TopicTable::forget_lesser_half() {
  std::vector<std::uint64_t> messages;
  for (const auto& [topic, counts] : counts_) messages.push_back(counts.messages);
  const auto middle = messages.begin() + static_cast<std::ptrdiff_t>(messages.size() / 2);
  std::nth_element(messages.begin(), middle, messages.end());
  const std::uint64_t median = *middle;
  std::size_t to_forget = messages.size() / 2;
  std::erase_if(counts_, [&](const auto& entry) {
    return entry.second.messages <= median && to_forget > 0 && to_forget-- > 0;
  });
  last_ = nullptr;
}

std::vector<TopicCount> TopicTable::busiest(std::size_t most) const {
  std::vector<TopicCount> all;
  for (const auto& [topic, counts] : counts_) {
    all.push_back({printable(topic, limits::topic_bytes), counts.messages, counts.bytes});
  }
  const auto busier = [](const TopicCount& a, const TopicCount& b) {
    return a.messages != b.messages ? a.messages > b.messages : a.topic < b.topic;
  };
  const std::size_t shown = std::min(most, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(shown), all.end(),
                    busier);
  all.resize(shown);
  return all;
}

}  // namespace busbar::detail

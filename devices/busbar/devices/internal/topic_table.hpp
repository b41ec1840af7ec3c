/// Counts by topic, for the busiest topics, at a bounded cost.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <busbar/core/ledger.hpp>
#include <busbar/core/limits.hpp>

namespace busbar::detail {

/// Exact up to `capacity` different topics. Whenever there are more, the lesser half is forgotten,
/// so the busiest stay, with counts that are a lower bound (lossy counting: Manku and Motwani,
/// VLDB 2002).
class TopicTable {
 public:
  static constexpr std::size_t capacity = 4096;

  void count(std::string_view topic, std::uint64_t messages, std::size_t bytes) {
    // A stock publisher's first frame may be its whole message, which is no topic when it is long.
    if (topic.size() > limits::topic_bytes) return;
    if (last_ == nullptr || last_->first != topic) [[unlikely]]
      last_ = &find_or_add(topic);
    last_->second.messages += messages;
    last_->second.bytes += bytes;
  }
  /// The `most` busiest, the busiest first.
  std::vector<TopicCount> busiest(std::size_t most) const;

 private:
  struct Counts {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  using Map = std::unordered_map<std::string, Counts, Hash, std::equal_to<>>;

  Map::value_type& find_or_add(std::string_view topic);
  void forget_lesser_half();

  Map counts_;
  Map::value_type* last_ = nullptr;  ///< Most traffic repeats its topic.
};

}  // namespace busbar::detail

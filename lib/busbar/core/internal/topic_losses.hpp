/// Which topics lose messages, at a bounded cost.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <busbar/core/ledger.hpp>

namespace busbar::detail {

/// Losses are rare, so a map will do; beyond `capacity` topics, further ones share the last place.
class TopicLosses {
 public:
  static constexpr std::size_t capacity = 1000;
  static constexpr std::size_t shown = 20;

  void count(std::string_view topic, std::uint64_t messages, std::uint64_t bytes) {
    auto place = losses_.find(topic);
    if (place == losses_.end()) {
      const bool room = losses_.size() < capacity;
      place = losses_.try_emplace(room ? std::string{topic} : "(others)").first;
      place->second.topic = place->first;
    }
    place->second.messages += messages;
    place->second.bytes += bytes;
  }

  std::vector<TopicCount> most() const {
    std::vector<TopicCount> all;
    for (const auto& [topic, count] : losses_) all.push_back(count);
    std::stable_sort(all.begin(), all.end(), [](const TopicCount& a, const TopicCount& b) {
      return a.messages > b.messages;
    });
    all.resize(std::min(all.size(), shown));
    return all;
  }

 private:
  std::map<std::string, TopicCount, std::less<>> losses_;
};

}  // namespace busbar::detail

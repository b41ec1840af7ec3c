#include "busbar/protocol/history.hpp"

#include <algorithm>

namespace busbar::protocol {

void History::add(std::uint32_t stream, std::uint64_t first, std::uint32_t count, Multipart& sent,
                  TimePoint now) {
  if (!keeps()) return;
  const std::size_t bytes = sent.bytes();
  if (bytes > limits_.bytes) return;
  while (size_ > 0 && (size_ == limits_.messages || bytes_ + bytes > limits_.bytes)) drop_oldest();
  if (size_ == ring_.size()) grow();
  const std::uint64_t number = oldest_ + size_;
  Kept& slot = at(number);
  slot.stream = stream;
  slot.first = first;
  slot.count = count;
  slot.bytes = bytes;
  slot.sent_at = now;
  slot.frames.clear();
  for (Frame& frame : sent) slot.frames.grow().copy(frame);
  ++size_;
  bytes_ += bytes;
  places_[stream].push_back(number);
}

void History::grow() {
  std::vector<Kept> larger(std::min(limits_.messages, std::max<std::size_t>(64, 2 * size_)));
  for (std::uint64_t number = oldest_; number < oldest_ + size_; ++number) {
    larger[number % larger.size()] = std::move(at(number));
  }
  ring_.swap(larger);
}

void History::drop_oldest() {
  Kept& slot = at(oldest_);
  const auto places = places_.find(slot.stream);
  places->second.pop_front();
  if (places->second.empty()) places_.erase(places);
  bytes_ -= slot.bytes;
  slot.frames.clear();
  ++oldest_;
  --size_;
}

void History::expire(TimePoint now) {
  while (size_ > 0 && now - at(oldest_).sent_at > limits_.age) drop_oldest();
}

std::uint64_t History::kept_from(std::uint32_t stream, std::uint64_t none) const {
  const auto places = places_.find(stream);
  return places == places_.end() ? none : at(places->second.front()).first;
}

void History::each(std::uint32_t stream, std::uint64_t first, std::uint64_t last,
                   const std::function<void(Kept&)>& with) {
  const auto places = places_.find(stream);
  if (places == places_.end()) return;
  const auto& numbers = places->second;
  auto number = std::partition_point(numbers.begin(), numbers.end(),
                                     [&](std::uint64_t n) { return at(n).last() < first; });
  for (; number != numbers.end() && at(*number).first <= last; ++number) with(at(*number));
}

}  // namespace busbar::protocol

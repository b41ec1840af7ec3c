#include "busbar/protocol/history.hpp"

#include <algorithm>

namespace busbar::protocol {

void History::add(std::uint32_t stream, std::uint64_t first, std::uint32_t count, Frame& sent,
                  TimePoint now) {
  if (!keeps()) return;
  const std::size_t bytes = sent.size();
  if (bytes > limits_.bytes) {
    forget(stream);  // what is kept of a stream has no hole
    return;
  }
  while (size_ > 0 && (size_ == limits_.messages || bytes_ + bytes > limits_.bytes)) drop_oldest();
  if (size_ == ring_.size()) grow();
  const std::uint64_t number = oldest_ + size_;
  Kept& slot = at(number);
  slot.stream = stream;
  slot.first = first;
  slot.count = count;
  slot.sent_at = now;
  std::uint64_t& newest = newest_of(stream);
  slot.before = newest;
  newest = number;
  slot.frame.copy(sent);
  ++size_;
  bytes_ += bytes;
}

std::uint64_t& History::newest_of(std::uint32_t stream) {
  if (latest_newest_ != nullptr && latest_stream_ == stream) return *latest_newest_;
  if (newest_.size() > 2 * size_ + 1000) forget_old_streams();
  latest_stream_ = stream;
  latest_newest_ = &newest_[stream];
  return *latest_newest_;
}

void History::forget_old_streams() {
  std::erase_if(newest_, [this](const auto& entry) { return entry.second < oldest_; });
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
  bytes_ -= slot.frame.size();
  slot.frame.rebuild();
  ++oldest_;
  --size_;
}

void History::expire(TimePoint now) {
  while (size_ > 0 && now - at(oldest_).sent_at > limits_.age) drop_oldest();
}

std::uint64_t History::newest_place(std::uint32_t stream) const {
  const auto newest = newest_.find(stream);
  return newest == newest_.end() ? 0 : newest->second;
}

void History::forget(std::uint32_t stream) {
  for (std::uint64_t place = newest_place(stream); place >= oldest_; place = at(place).before) {
    at(place).stream = 0;
  }
  newest_of(stream) = 0;
}

std::uint64_t History::kept_from(std::uint32_t stream, std::uint64_t none) const {
  for (std::uint64_t place = newest_place(stream); place >= oldest_; place = at(place).before) {
    none = at(place).first;
  }
  return none;
}

History::Range History::range(std::uint32_t stream, std::uint64_t first, std::uint64_t last) const {
  Range range;
  for (std::uint64_t place = newest_place(stream); place >= oldest_ && at(place).last() >= first;
       place = at(place).before) {
    range.at = place;
    if (range.end == 0 && at(place).first <= last) range.end = place + 1;
  }
  return range;
}

Kept* History::next(Range& range, const std::function<bool(const Kept&)>& wanted) {
  range.at = std::max(range.at, oldest_);
  while (range.at < std::min(range.end, oldest_ + size_)) {
    Kept& kept = at(range.at++);
    if (kept.stream != 0 && wanted(kept)) return &kept;
  }
  return nullptr;
}

}  // namespace busbar::protocol

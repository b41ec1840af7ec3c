#include "busbar/protocol/history.hpp"

#include <algorithm>

namespace busbar::protocol {

void History::add(std::uint32_t stream, std::uint64_t first, std::uint32_t count, Frame& sent,
                  TimePoint now) {
  if (!keeps()) return;
  const std::size_t bytes = sent.size();
  if (bytes > limits_.bytes) {
    newest_of(stream) = 0;  // what is kept of a stream has no hole
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

std::vector<std::uint64_t> History::places_of(std::uint32_t stream, std::uint64_t first) const {
  std::vector<std::uint64_t> places;
  const auto newest = newest_.find(stream);
  if (newest == newest_.end()) return places;
  for (std::uint64_t place = newest->second; place >= oldest_ && at(place).last() >= first;
       place = at(place).before) {
    places.push_back(place);
  }
  return places;
}

std::uint64_t History::kept_from(std::uint32_t stream, std::uint64_t none) const {
  const auto places = places_of(stream, 0);
  return places.empty() ? none : at(places.back()).first;
}

void History::each(std::uint32_t stream, std::uint64_t first, std::uint64_t last,
                   const std::function<void(Kept&)>& with) {
  const auto places = places_of(stream, first);
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    if (at(*place).first <= last) with(at(*place));
  }
}

}  // namespace busbar::protocol

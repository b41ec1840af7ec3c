#include "busbar/protocol/heads_schedule.hpp"

#include <utility>

#include <busbar/protocol/publisher_protocol.hpp>

namespace busbar::protocol {

void HeadsSchedule::on_message(Stream& stream, TimePoint now) {
  Place& place = stream.heads;
  if (!place.known) {
    place = {.entry = due_.insert(due_.end(), &stream), .known = true};
    await(due_, stream, 0, now);
  } else if (place.due) {
    place.told = 0;
  } else if (place.told > 0) {
    await(waiting_[place.told], stream, 0, now);
  } else {
    place.moved = true;
  }
}

void HeadsSchedule::await(Streams& from, Stream& stream, std::size_t told, TimePoint now) {
  if (waiting_[told].empty()) {
    due_at_[told] = now + pauses[told];
    next_ = std::min(next_, due_at_[told]);
  }
  waiting_[told].splice(waiting_[told].end(), from, stream.heads.entry);
  stream.heads.told = told;
}

void HeadsSchedule::forget(Stream& stream) {
  if (!stream.heads.known) return;
  (stream.heads.due ? due_ : waiting_[stream.heads.told]).erase(stream.heads.entry);
}

void HeadsSchedule::tick(TimePoint now) {
  now_ = now;
  if (now < next_) return;
  next_ = TimePoint::max();
  for (std::size_t told = 0; told < pauses.size(); ++told) {
    if (now >= due_at_[told]) {
      due_at_[told] = TimePoint::max();
      Streams told_now;
      told_now.swap(waiting_[told]);
      while (!told_now.empty()) make_due(told_now, *told_now.front(), now);
    }
    next_ = std::min(next_, due_at_[told]);
  }
}

void HeadsSchedule::make_due(Streams& from, Stream& stream, TimePoint now) {
  if (std::exchange(stream.heads.moved, false)) return await(from, stream, 0, now);
  stream.heads.due = true;
  due_.splice(due_.end(), from, stream.heads.entry);
}

std::vector<const Stream*> HeadsSchedule::take() {
  std::vector<const Stream*> taken{due_.begin(), due_.end()};
  while (!due_.empty()) {
    Stream& stream = *due_.front();
    stream.heads.due = false;
    await(due_, stream, std::min(stream.heads.told + 1, last), now_);
  }
  return taken;
}

}  // namespace busbar::protocol

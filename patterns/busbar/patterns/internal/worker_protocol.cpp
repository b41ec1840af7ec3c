#include "busbar/patterns/internal/worker_protocol.hpp"

#include <algorithm>
#include <utility>

#include <busbar/core/limits.hpp>

namespace busbar::detail {

namespace majordomo = protocol::majordomo;
using majordomo::Command;

namespace {
constexpr std::chrono::milliseconds first_backoff{50};
// What a broker sent before it heard of the end.
constexpr std::chrono::milliseconds on_the_way{50};
}  // namespace

void WorkerProtocol::connected(TimePoint now) {
  connected_ = true;
  heard_ = now;
  beat_at_ = now + options_.heartbeat;
  Multipart ready;
  put_command(ready, options_.dialect, Command::ready, options_.service);
  out_.push_back(std::move(ready));
}

void WorkerProtocol::put(Command command) {
  Multipart frames;
  put_command(frames, options_.dialect, command);
  out_.push_back(std::move(frames));
}

/// The first time at once, then at longer and longer intervals.
void WorkerProtocol::disconnect(TimePoint now) {
  connected_ = has_several_ = false;
  given_.clear();
  out_.clear();
  blocked_ = false;
  retry_at_ = now + backoff_;
  backoff_ = std::clamp(backoff_ * 2, first_backoff, std::max(options_.heartbeat, first_backoff));
}

std::optional<WorkerProtocol::Request> WorkerProtocol::on_message(Multipart& frames,
                                                                  TimePoint now) {
  const auto message = majordomo::read(frames, 0, false);
  if (!connected_ || !message || message->role != majordomo::Role::worker ||
      message->dialect.version != options_.dialect.version) {
    ++malformed_;
    return {};
  }
  heard_ = now;
  if (message->command == Command::disconnect) {
    if (!leaving_) disconnect(now);
    return {};
  }
  backoff_ = {};
  if (message->command != Command::request) return {};
  if (!given_.empty() && !std::exchange(has_several_, true) && leaving_) say_goodbye(now);
  if ((leaving_ && !has_several_) || given_.size() >= majordomo::requests_max) {
    ++malformed_;
    return {};
  }
  given_.push_back({.number = ++number_, .client = std::string{frames.text(message->subject)}});
  Request request{.number = number_};
  for (std::size_t i = message->body; i < frames.size(); ++i) {
    request.body.push_back(std::move(frames[i]));
  }
  return request;
}

void WorkerProtocol::on_time(TimePoint now) {
  if (now >= stays_until_) stays_until_ = TimePoint::min();  // else its loop would never rest
  if (!connected_ || !must_be_heard()) return;
  // What is in hand goes by this connection or not at all.
  if (!leaving_ && now - heard_ >= options_.expiry) return disconnect(now);
  if (now < beat_at_) return;
  beat_at_ = now + options_.heartbeat;
  put(Command::heartbeat);
}

TimePoint WorkerProtocol::next_deadline() const noexcept {
  if (leaving_) {
    const TimePoint stays = stays_until_ > TimePoint::min() ? stays_until_ : TimePoint::max();
    return connected_ && must_be_heard() ? std::min(stays, beat_at_) : stays;
  }
  return connected_ ? std::min(beat_at_, heard_ + options_.expiry) : retry_at_;
}

std::vector<WorkerProtocol::Given>::iterator WorkerProtocol::find(std::uint64_t request) noexcept {
  return std::find_if(given_.begin(), given_.end(),
                      [&](const Given& one) { return one.number == request; });
}

bool WorkerProtocol::holds(std::uint64_t request) const noexcept {
  return std::any_of(given_.begin(), given_.end(),
                     [&](const Given& one) { return one.number == request; });
}

WorkerProtocol::Answered WorkerProtocol::answer(std::uint64_t request, Multipart body, bool final,
                                                TimePoint now) {
  const auto given = find(request);
  if (given == given_.end()) return Answered::late;
  if (body.empty()) body.push_back(std::string_view{});  // a body has a frame at least
  const bool has_parts = options_.dialect.version == majordomo::Version::v02;
  const std::size_t frames = given->parts.size() + body.size();
  given->bytes = (has_parts ? 0 : given->bytes) + body.bytes();
  if (frames > majordomo::body_frames_max || given->bytes > limits::message_bytes) {
    given->too_large = true;
    given->parts.clear();
  }
  if (!given->too_large && (final || has_parts)) {
    put_answer(*given, body, final);
  } else if (!given->too_large) {
    for (Frame& frame : body) given->parts.push_back(std::move(frame));
  }
  if (!final) return Answered::sent;
  if (given->too_large) {
    give_up(request, now);
    return Answered::too_large;
  }
  end(given);
  return Answered::sent;
}

void WorkerProtocol::put_answer(Given& given, Multipart& body, bool final) {
  Multipart frames;
  put_head(frames, majordomo::Role::worker, options_.dialect,
           final ? Command::final : Command::partial);
  frames.push_back(given.client);
  frames.push_back(std::string_view{});
  for (Frame& frame : given.parts) frames.push_back(std::move(frame));
  for (Frame& frame : body) frames.push_back(std::move(frame));
  out_.push_back(std::move(frames));
}

void WorkerProtocol::end(std::vector<Given>::iterator given) {
  given_.erase(given);
  if (given_.empty() && leaving_ && !has_several_) put(Command::disconnect);
}

void WorkerProtocol::give_up(std::uint64_t request, TimePoint now) {
  const auto given = find(request);
  if (given == given_.end()) return;
  if (!has_several_ && !leaving_) {
    disconnect(now);
    retry_at_ = now;
    return;
  }
  if (has_several_) {
    Multipart no_body;
    given->parts.clear();
    put_answer(*given, no_body, true);
  }
  end(given);  // to any other broker its goodbye says it
}

void WorkerProtocol::leave(TimePoint now) {
  if (std::exchange(leaving_, true) || !connected_) return;
  if (has_several_ || given_.empty()) say_goodbye(now);
}

void WorkerProtocol::say_goodbye(TimePoint now) {
  put(Command::disconnect);
  if (has_several_) stays_until_ = now + on_the_way;
}

bool WorkerProtocol::next(Multipart& out) {
  blocked_ = false;
  if (out_.empty()) return false;
  out = std::move(out_.front());
  out_.pop_front();
  return true;
}

}  // namespace busbar::detail

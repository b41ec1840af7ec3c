#include "busbar/patterns/internal/service_protocol.hpp"

#include <algorithm>

namespace busbar::detail {

namespace majordomo = protocol::majordomo;
using majordomo::Command;

namespace {
constexpr std::chrono::milliseconds first_backoff{50};
}

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
  connected_ = busy_ = false;
  parts_.clear();
  out_.clear();
  retry_at_ = now + backoff_;
  backoff_ = std::clamp(backoff_ * 2, first_backoff, std::max(options_.heartbeat, first_backoff));
}

std::optional<WorkerProtocol::Request> WorkerProtocol::on_message(Multipart& frames,
                                                                  TimePoint now) {
  const auto message = majordomo::read(frames, 0, false);
  if (!connected_ || !message || message->role != majordomo::Role::worker ||
      message->dialect.version != options_.dialect.version) {
    ++refused_;
    return {};
  }
  heard_ = now;
  if (message->command == Command::disconnect) {
    if (!leaving_) disconnect(now);
    return {};
  }
  backoff_ = {};
  if (message->command != Command::request) return {};
  if (busy_ || leaving_) {
    ++refused_;
    return {};
  }
  busy_ = true;
  client_ = frames.text(message->subject);
  Request request{.number = ++number_};
  for (std::size_t i = message->body; i < frames.size(); ++i) {
    request.body.push_back(std::move(frames[i]));
  }
  return request;
}

void WorkerProtocol::on_time(TimePoint now) {
  if (!connected_ || leaving_) return;
  if (now - heard_ >= options_.expiry) return disconnect(now);
  if (now < beat_at_) return;
  beat_at_ = now + options_.heartbeat;
  put(Command::heartbeat);
}

TimePoint WorkerProtocol::next_deadline() const noexcept {
  if (leaving_) return TimePoint::max();
  return connected_ ? std::min(beat_at_, heard_ + options_.expiry) : retry_at_;
}

bool WorkerProtocol::answer(std::uint64_t request, Multipart body, bool final) {
  if (!busy_ || request != number_) return false;
  const bool has_parts = options_.dialect.version == majordomo::Version::v02;
  if (!final && !has_parts) {
    for (Frame& frame : body) parts_.push_back(std::move(frame));
    return true;
  }
  Multipart frames;
  put_head(frames, majordomo::Role::worker, options_.dialect,
           final ? Command::final : Command::partial);
  frames.push_back(client_);
  frames.push_back(std::string_view{});
  for (Frame& frame : parts_) frames.push_back(std::move(frame));
  parts_.clear();
  for (Frame& frame : body) frames.push_back(std::move(frame));
  out_.push_back(std::move(frames));
  if (final) busy_ = false;
  if (final && leaving_) put(Command::disconnect);
  return true;
}

void WorkerProtocol::give_up(std::uint64_t request, TimePoint now) {
  if (!busy_ || request != number_) return;
  disconnect(now);
  retry_at_ = now;
}

void WorkerProtocol::leave() {
  if (std::exchange(leaving_, true) || !connected_ || busy_) return;
  put(Command::disconnect);
}

bool WorkerProtocol::next(Multipart& out) {
  if (out_.empty()) return false;
  out = std::move(out_.front());
  out_.pop_front();
  return true;
}

}  // namespace busbar::detail

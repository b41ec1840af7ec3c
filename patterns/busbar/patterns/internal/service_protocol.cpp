#include "busbar/patterns/internal/service_protocol.hpp"

#include <algorithm>
#include <utility>

namespace busbar::detail {

namespace majordomo = protocol::majordomo;
using majordomo::Command;

namespace {
constexpr std::chrono::milliseconds first_backoff{50};
constexpr std::chrono::milliseconds first_pause{100};
constexpr std::chrono::milliseconds longest_pause{1000};
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
  if (busy_ || leaving_) {
    ++malformed_;
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

CallProtocol::CallProtocol(TimePoint now, const Options& options, BrokerState broker)
    : options_(options),
      give_up_at_(after(now, options.timeout)),
      connected_(broker == BrokerState::connected),
      pause_(first_pause) {
  options_.attempt = std::max(options_.attempt, std::chrono::milliseconds{1});
  // One that was not there when we last looked may be by now, and libzmq takes its time.
  const bool stale = broker == BrokerState::unreachable || broker == BrokerState::lost;
  next_at_ = stale ? now : silence_ends(now);
}

/// When a connection that says nothing is given up.
TimePoint CallProtocol::silence_ends(TimePoint now) const {
  const bool patient = is_out_ ? !options_.idempotent : options_.brokers == 1;
  return patient ? TimePoint::max() : after(now, options_.attempt);
}

CallProtocol::Step CallProtocol::step(TimePoint now) {
  if (lost_ || now >= give_up_at_) return Step::give_up;
  if (now >= next_at_) {
    connected_ = is_out_ = missed_ = false;
    next_at_ = silence_ends(now);
    return Step::connect;
  }
  if (!connected_ || is_out_) return Step::wait;
  is_out_ = true;
  ++sent_;
  next_at_ = silence_ends(now);
  return Step::send;
}

void CallProtocol::on_news(BrokerState broker, TimePoint now) {
  connected_ = broker == BrokerState::connected;
  if (connected_) {
    missed_ = false;
  } else if (is_out_) {
    lost_ = !options_.idempotent;
    missed(now);
  } else if (options_.brokers > 1) {
    missed(now);  // libzmq tries a single one again by itself
  }
}

/// To the next one at once; when all were tried, after a pause.
void CallProtocol::missed(TimePoint now) {
  if (std::exchange(missed_, true)) return;
  const bool all = ++misses_ % options_.brokers == 0;
  next_at_ = std::min(next_at_, all ? after(now, pause_) : now);
  if (all) pause_ = std::min(2 * pause_, longest_pause);
}

}  // namespace busbar::detail

#include "busbar/patterns/internal/call_protocol.hpp"

#include <utility>

namespace busbar::detail {

namespace {
constexpr std::chrono::milliseconds first_pause{100};
constexpr std::chrono::milliseconds longest_pause{1000};
}  // namespace

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

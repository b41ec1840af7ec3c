#include <algorithm>
#include <map>
#include <thread>

#include <busbar/core/error.hpp>
#include <busbar/devices/topology/internal/running_chain.hpp>

namespace busbar::detail {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds retry{10};

milliseconds left_until(TimePoint end) {
  const auto left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
  return std::max(left, milliseconds{0});
}

std::shared_ptr<Relay> create(Context& context, const Chain& chain, milliseconds patience) {
  const TimePoint end = std::chrono::steady_clock::now() + patience;
  while (true) {
    try {
      return Relay::create(context, chain.kind, chain.devices);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::usage || left_until(end).count() == 0) {
        throw Error(error.kind(), "start '" + chain.name() + "': " + error.operation(),
                    error.cause(), error.remedy());
      }
    }
    std::this_thread::sleep_for(retry);
  }
}

}  // namespace

RunningChain::RunningChain(Context& context, Chain chain, milliseconds patience)
    : chain_(std::move(chain)), level_(chain_.level), relay_(create(context, chain_, patience)) {}

StopReport RunningChain::stop(milliseconds deadline) {
  if (!runner_) return {};
  StopReport report = runner_->stop(deadline);
  try {
    runner_->wait(milliseconds{0});
  } catch (const std::exception& failure) {
    report.clean = false;
    report.remains.push_back("'" + chain_.name() + "' failed: " + failure.what());
  }
  return report;
}

Chain RunningChain::as_bound() const {
  Chain chain = chain_;
  chain.devices.front().frontend.bind = relay_->frontend();
  chain.devices.back().backend.bind = relay_->backend();
  for (std::size_t i = 0; i < chain.devices.size(); ++i) {
    if (const auto control = relay_->control(i)) chain.devices[i].control = *control;
    if (const auto tap = relay_->tap(i)) chain.devices[i].tap = *tap;
  }
  return chain;
}

void RunningChain::reload_allow_lists(const Chain& next) {
  const auto reload = [](const Security& ours, const Security& theirs) {
    if (ours.allow && ours.allow != theirs.allow) ours.allow->reload();
  };
  for (std::size_t i = 0; i < chain_.devices.size(); ++i) {
    const DeviceOptions& ours = chain_.devices[i];
    const DeviceOptions& theirs = next.devices[i];
    reload(ours.frontend.security, theirs.frontend.security);
    reload(ours.backend.security, theirs.backend.security);
    reload(ours.control_security, theirs.control_security);
    reload(ours.tap_security, theirs.tap_security);
  }
}

bool RunningChain::ended(milliseconds timeout) {
  try {
    return wait(timeout);
  } catch (const std::exception&) {
    return true;
  }
}

void add(StopReport& sum, const StopReport& part) {
  sum.clean = sum.clean && part.clean;
  sum.abandoned += part.abandoned;
  sum.remains.insert(sum.remains.end(), part.remains.begin(), part.remains.end());
}

StopReport drain_all(const RunningChains& chains, milliseconds deadline) {
  const TimePoint start = std::chrono::steady_clock::now();
  const TimePoint end = start + deadline;
  std::map<std::size_t, RunningChains> levels;
  for (const auto& chain : chains) levels[chain->level()].push_back(chain);
  for (const auto& level : levels) {
    for (const auto& chain : level.second) {
      chain->relay().command(control::Command::drain, left_until(end));
    }
    for (const auto& chain : level.second) {
      [[maybe_unused]] const bool in_time = chain->ended(left_until(end));
    }
  }
  StopReport report = stop_all(chains, left_until(end));
  report.took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start);
  return report;
}

StopReport stop_all(const RunningChains& chains, milliseconds deadline) {
  const TimePoint start = std::chrono::steady_clock::now();
  for (const auto& chain : chains) chain->relay().request_stop(deadline);
  StopReport report;
  for (const auto& chain : chains) add(report, chain->stop(left_until(start + deadline)));
  report.took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start);
  return report;
}

}  // namespace busbar::detail

#include "busbar/devices/device.hpp"

#include <busbar/core/error.hpp>
#include <busbar/devices/internal/relay.hpp>
#include <busbar/devices/internal/words.hpp>

namespace busbar {

namespace {
using std::chrono::milliseconds;
}  // namespace

std::string_view name_of(DeviceKind kind) noexcept {
  constexpr std::array<std::string_view, device_kinds.size()> names{"forwarder", "streamer",
                                                                    "queue", "services"};
  return names[static_cast<std::size_t>(kind)];
}

std::string_view name_of(Strategy strategy) noexcept {
  return strategy == Strategy::ready ? "ready" : "round-robin";
}

std::string_view name_of(Overflow overflow) noexcept {
  return overflow == Overflow::drop ? "drop" : "block";
}

DeviceKind device_kind(std::string_view name) {
  if (const auto kind = detail::named(name, device_kinds)) return *kind;
  throw Error(ErrorKind::usage, "device kind '" + printable(name) + "'", "there is no such kind",
              "use one of " + detail::listed(detail::names_of(device_kinds)));
}

SocketType frontend_type(DeviceKind kind) noexcept {
  constexpr std::array types{SocketType::xsub, SocketType::pull, SocketType::router,
                             SocketType::router};
  return types[static_cast<std::size_t>(kind)];
}

SocketType backend_type(DeviceKind kind) noexcept {
  constexpr std::array types{SocketType::xpub, SocketType::push, SocketType::dealer,
                             SocketType::router};
  return types[static_cast<std::size_t>(kind)];
}

Device::Device(Context& context, DeviceKind kind, DeviceOptions options)
    : relay_(detail::Relay::create(context, kind, {std::move(options)})) {}
Device::~Device() = default;
Device::Device(Device&&) noexcept = default;
Device& Device::operator=(Device&&) noexcept = default;

void Device::pause() { relay_->command(control::Command::pause, milliseconds{0}); }
void Device::resume() { relay_->command(control::Command::resume, milliseconds{0}); }
void Device::drain(milliseconds deadline) { relay_->command(control::Command::drain, deadline); }
void Device::stop() { relay_->command(control::Command::stop, milliseconds{0}); }
Ledger Device::ledger() const { return relay_->ledgers().front(); }
std::vector<Endpoint> Device::frontend() const { return relay_->frontend(); }
std::vector<Endpoint> Device::backend() const { return relay_->backend(); }
std::optional<Endpoint> Device::control() const { return relay_->control(0); }
std::optional<Endpoint> Device::tap() const { return relay_->tap(0); }
std::shared_ptr<Active> Device::active() { return relay_; }

}  // namespace busbar

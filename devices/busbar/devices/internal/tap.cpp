#include "busbar/devices/internal/tap.hpp"

#include <chrono>

#include <busbar/core/internal/frames.hpp>
#include <busbar/core/tap_header.hpp>

namespace busbar::detail {

namespace {

SocketOptions tap_options(const std::string& device, const Endpoint& endpoint,
                          const Security& security) {
  SocketOptions options{.name = device + ".tap", .bind = {endpoint}, .security = security};
  options.linger = std::chrono::milliseconds{0};
  return options;
}

std::string header(const std::string& device, std::string_view direction) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return pack(TapHeader{device, std::string(direction),
                        std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()});
}

}  // namespace

Tap::Tap(Context& context, const std::string& device, const Endpoint& endpoint,
         const Security& security)
    : device_(device),
      socket_(context, SocketType::xpub, tap_options(device, endpoint, security)) {}

void Tap::show(Multipart& message, bool forward) {
  const std::string_view direction = forward ? "forward" : "backward";
  copy_ = message.copy();
  copy_.push_front(header(device_, direction));
  copy_.push_front(device_ + "." + std::string(direction));
  // A copy may have two frames more than a message. XPUB drops for a full watcher and never
  // refuses.
  send_frames(socket_.raw().handle(), copy_, ZMQ_DONTWAIT);
}

TimePoint Tap::maintain() {
  const TimePoint next = socket_.maintain();
  Multipart subscription;
  while (socket_.receive(subscription)) {
    const std::string_view bytes = subscription.text(0);
    if (!bytes.empty() && bytes[0] == '\1') ++watchers_;
    if (!bytes.empty() && bytes[0] == '\0') --watchers_;
  }
  return next;
}

void Tap::add_to(SocketPoll& poll) {
  poll.add(socket_.raw().handle(), ZMQ_POLLIN);
  poll.add_unasked(socket_.monitor().handle());
}

}  // namespace busbar::detail

#include "busbar/core/socket.hpp"

#include <algorithm>
#include <array>

#include <busbar/core/error.hpp>
#include <busbar/core/internal/frames.hpp>
#include <busbar/core/internal/socket_state.hpp>

namespace busbar {

using detail::Received;
using detail::SocketState;

Socket::Socket(Context& context, SocketType type, SocketOptions options)
    : state_(std::make_unique<SocketState>(context.state_, type, std::move(options))) {
  state_->open();
}
Socket::Socket(Socket&&) noexcept = default;
Socket& Socket::operator=(Socket&&) noexcept = default;
Socket::~Socket() = default;

SocketState& Socket::state() const {
  if (state_) [[likely]]
    return *state_;
  throw Error(ErrorKind::usage, "use of a socket", "it was closed or moved from");
}

SendResult Socket::send(Multipart& message) { return send(message, std::chrono::milliseconds{0}); }

SendResult Socket::send(Multipart& message, std::chrono::milliseconds timeout) {
  state().check_owner();
  if (message.empty()) {
    throw Error(ErrorKind::usage, "send on socket '" + name() + "'", "the message has no frame");
  }
  if (type() == SocketType::router && message.size() < 2) {
    throw Error(ErrorKind::usage, "send on socket '" + name() + "'",
                "the message has an address and no frame behind it");
  }
  const auto too_large = [](const Frame& frame) { return frame.size() > limits::message_bytes; };
  if (message.size() > limits::frames || std::any_of(message.begin(), message.end(), too_large))
      [[unlikely]] {
    return SendResult::too_large;
  }
  const bool waits = timeout.count() > 0;
  const TimePoint deadline = waits ? after(std::chrono::steady_clock::now(), timeout) : TimePoint{};
  while (true) {
    const int error = detail::send_frames(state_->handle, message, ZMQ_DONTWAIT);
    if (error == 0) return SendResult::sent;
    if (error == EHOSTUNREACH || error == EPIPE) return SendResult::no_peer;
    if (error != EAGAIN) state_->fail("send", error);
    if (!waits) return SendResult::full;
    const auto left = left_until(deadline, std::chrono::steady_clock::now());
    if (left.count() == 0) return SendResult::full;
    maintain();
    // ROUTER and XPUB always say that they are writable; a short sleep keeps the retry cheap.
    const bool says_so = type() == SocketType::router || type() == SocketType::xpub;
    zmq_pollitem_t items[] = {{state_->handle, 0, static_cast<short>(says_so ? 0 : ZMQ_POLLOUT), 0},
                              {state_->monitor->handle(), 0, ZMQ_POLLIN, 0}};
    zmq_poll(items, 2, std::min<long>(left.count(), says_so ? 2 : 100));
  }
}

bool Socket::receive(Multipart& into) {
  state().check_owner();
  while (true) {
    switch (detail::receive_frames(state_->handle, into, ZMQ_DONTWAIT)) {
      case Received::message:
        return true;
      case Received::none:
        return false;
      case Received::closed:
        state_->fail("receive", zmq_errno());
      case Received::too_many_frames:
        ++state_->refused;
        state_->log(LogLevel::warning,
                    "refused a message of more than " + std::to_string(limits::frames) + " frames");
    }
  }
}

std::optional<Multipart> Socket::receive(std::chrono::milliseconds timeout) {
  const TimePoint deadline = after(std::chrono::steady_clock::now(), timeout);
  Multipart message;
  while (true) {
    if (receive(message)) return message;
    maintain();
    const auto left = left_until(deadline, std::chrono::steady_clock::now());
    if (left.count() == 0) return std::nullopt;
    zmq_pollitem_t items[] = {{state_->handle, 0, ZMQ_POLLIN, 0},
                              {state_->monitor->handle(), 0, ZMQ_POLLIN, 0}};
    zmq_poll(items, 2, std::min<long>(left.count(), 100));
  }
}

void Socket::subscribe(const TopicPattern& pattern) {
  const std::string_view prefix = pattern.prefix();
  if (type() != SocketType::xsub) return raw().set(zmq::sockopt::subscribe, prefix);
  Multipart subscription{std::string{'\1'}.append(prefix)};
  if (send(subscription) != SendResult::sent) state_->fail("subscribe", EAGAIN);
}

void Socket::unsubscribe(const TopicPattern& pattern) {
  const std::string_view prefix = pattern.prefix();
  if (type() != SocketType::xsub) return raw().set(zmq::sockopt::unsubscribe, prefix);
  Multipart subscription{std::string(1, '\0').append(prefix)};
  if (send(subscription) != SendResult::sent) state_->fail("unsubscribe", EAGAIN);
}

const std::string& Socket::name() const noexcept { return state_->options.name; }
SocketType Socket::type() const noexcept { return state_->type; }
const std::vector<Endpoint>& Socket::bound() const noexcept { return state_->bound; }
const std::vector<PeerInfo>& Socket::peers() const noexcept { return state_->peers.all(); }
std::uint64_t Socket::refused() const noexcept { return state_->refused; }
void Socket::on_event(std::function<void(const SocketEvent&)> handler) {
  state_->handler = std::move(handler);
}

TimePoint Socket::maintain() { return state().maintain(); }
void Socket::release() noexcept { state_->owner.store(nullptr); }
void Socket::close() noexcept { state_.reset(); }
void Socket::close(std::chrono::milliseconds linger) {
  state().check_owner();
  state_->close(linger);
  state_.reset();
}
void Socket::see_off(std::chrono::milliseconds longest) {
  state().check_owner();
  state_->see_off(longest);
  state_.reset();
}

zmq::socket_ref Socket::raw() {
  state().check_owner();
  return zmq::socket_ref(zmq::from_handle, state_->handle);
}

zmq::socket_ref Socket::monitor() {
  return zmq::socket_ref(zmq::from_handle, state_->monitor->handle());
}

std::string_view name_of(SocketType type) noexcept {
  constexpr std::array<std::string_view, 11> names{"PUB", "SUB", "XPUB",   "XSUB",   "PUSH", "PULL",
                                                   "REQ", "REP", "DEALER", "ROUTER", "PAIR"};
  return names[static_cast<std::size_t>(type)];
}

std::string_view name_of(SocketEvent::Kind kind) noexcept {
  constexpr std::array<std::string_view, 11> names{
      "listening on", "accepted",         "connecting to", "retrying",
      "connected",    "handshake failed", "disconnected",  "closed",
      "bind failed",  "accept failed",    "not resolved"};
  return names[static_cast<std::size_t>(kind)];
}

}  // namespace busbar

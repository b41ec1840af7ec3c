#include "busbar/core/socket.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <list>
#include <set>

#include <busbar/core/error.hpp>
#include <busbar/core/internal/connector.hpp>
#include <busbar/core/internal/context_state.hpp>
#include <busbar/core/internal/frames.hpp>
#include <busbar/core/internal/ipc_guard.hpp>
#include <busbar/core/internal/monitor.hpp>
#include <busbar/core/internal/peer_table.hpp>
#include <busbar/core/internal/repeat_filter.hpp>
#include <busbar/core/internal/resolver.hpp>
#include <busbar/core/internal/socket_setup.hpp>

namespace busbar {

namespace {

/// An address that differs between any two threads that live at the same time.
const void* this_thread() noexcept {
  thread_local const char marker = 0;
  return &marker;
}

constexpr std::chrono::milliseconds look_up_poll{20};
// With no descriptor left libzmq fails to accept, and says so, some 100,000 times a second.
constexpr int events_at_a_time = 100'000;

}  // namespace

struct Socket::State {
  State(std::shared_ptr<ContextState> home, SocketType socket_type, SocketOptions socket_options);
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State();

  void open();
  void check_owner();
  [[noreturn]] void fail(const std::string& operation, int error) const;
  void carry_out(const std::vector<ConnectorAction>& actions);
  void log(LogLevel level, const std::string& text) const;
  void log_event(const SocketEvent& event, TimePoint now);

  std::shared_ptr<ContextState> context;
  SocketType type;
  SocketOptions options;
  std::atomic<const void*> owner = nullptr;
  void* handle = nullptr;
  std::uint64_t id = 0;
  std::string zap_domain;
  std::list<IpcGuard> ipc_guards;
  std::vector<Endpoint> bound;
  std::unique_ptr<Monitor> monitor;
  Connector connector;
  Resolver resolver;
  PeerTable peers;
  std::function<void(const SocketEvent&)> handler;
  RepeatFilter warnings;
};

Socket::State::State(std::shared_ptr<ContextState> home, SocketType socket_type,
                     SocketOptions socket_options)
    : context(std::move(home)),
      type(socket_type),
      options(std::move(socket_options)),
      connector(options.connect),
      resolver(options.ipv4_only) {
  if (options.name.empty()) options.name = name_of(type);
  check_options(type, options);
}

void Socket::State::open() {
  for (const Endpoint& endpoint : options.bind) {
    if (endpoint.transport() == Transport::ipc && !endpoint.is_wildcard() &&
        endpoint.path().front() != '@') {
      ipc_guards.emplace_back(endpoint.path());
    }
  }
  handle = zmq_socket(context->handle(), zmq_type(type));
  if (handle == nullptr) fail("create", zmq_errno());
  id = context->list_socket(options.name + " (" + std::string(name_of(type)) + ")");
  if (!options.bind.empty()) {
    zap_domain = context->access().open_domain(
        options.name, options.security.keys ? options.security.allow : nullptr);
  }
  apply_options(handle, type, options, zap_domain);
  monitor = std::make_unique<Monitor>(context->handle(), handle);
  for (const Endpoint& endpoint : options.bind) {
    bound.push_back(bind_socket(handle, endpoint, options));
  }
  carry_out(connector.start(context->options().clock->now()));
}

Socket::State::~State() {
  monitor.reset();
  if (handle == nullptr) return;
  zmq_close(handle);
  if (!zap_domain.empty()) context->access().close_domain(zap_domain);
  context->unlist_socket(id);
}

void Socket::State::check_owner() {
  const void* me = this_thread();
  const void* current = owner.load(std::memory_order_relaxed);
  if (current == me) [[likely]]
    return;
  if (current == nullptr && owner.compare_exchange_strong(current, me)) return;
  throw Error(ErrorKind::usage, "socket '" + options.name + "'", "owned by another thread",
              "use it in one thread, or release() it first");
}

void Socket::State::fail(const std::string& operation, int error) const {
  const std::string subject = operation + " on socket '" + options.name + "'";
  if (error == ETERM) throw Error(ErrorKind::refused, subject, "the context was stopped");
  if (error == EMFILE) {
    throw Error(ErrorKind::refused, subject, "no room for another socket",
                "raise ContextOptions::max_sockets and the limit on open files (ulimit -n)");
  }
  throw Error(ErrorKind::usage, subject, zmq_strerror(error));
}

void Socket::State::log(LogLevel level, const std::string& text) const {
  const LogCallback& callback = context->options().log;
  if (callback) callback(level, "socket '" + options.name + "': " + text);
}

void Socket::State::log_event(const SocketEvent& event, TimePoint now) {
  const std::string where =
      event.peer.empty() ? event.endpoint : event.peer + " at " + event.endpoint;
  switch (event.kind) {
    case SocketEvent::Kind::handshake_failed:
    case SocketEvent::Kind::bind_failed:
    case SocketEvent::Kind::accept_failed: {
      const std::string text = std::string(name_of(event.kind)) + " " + where + ": " + event.cause;
      if (warnings.is_new(text, now)) log(LogLevel::warning, text);
      return;
    }
    default:
      return log(LogLevel::debug, std::string(name_of(event.kind)) + " " + where);
  }
}

void Socket::State::carry_out(const std::vector<ConnectorAction>& actions) {
  for (const ConnectorAction& action : actions) {
    switch (action.kind) {
      case ConnectorAction::Kind::resolve:
        resolver.look_up(Endpoint{action.subject}, context->options().clock->now());
        break;
      case ConnectorAction::Kind::connect:
        if (zmq_connect(handle, action.subject.c_str()) != 0) {
          fail("connect " + action.subject, zmq_errno());
        }
        break;
      case ConnectorAction::Kind::disconnect:
        // ENOENT: libzmq has forgotten it already.
        zmq_disconnect(handle, action.subject.c_str());
        break;
      case ConnectorAction::Kind::log:
        log(LogLevel::warning, action.subject);
        break;
    }
  }
}

Socket::Socket(Context& context, SocketType type, SocketOptions options)
    : state_(std::make_unique<State>(context.state_, type, std::move(options))) {
  state_->open();
}
Socket::Socket(Socket&&) noexcept = default;
Socket& Socket::operator=(Socket&&) noexcept = default;
Socket::~Socket() = default;

Socket::State& Socket::state() const {
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
  const TimePoint deadline = after(std::chrono::steady_clock::now(), timeout);
  while (true) {
    const int error = send_frames(state_->handle, message, ZMQ_DONTWAIT);
    if (error == 0) return SendResult::sent;
    if (error == EHOSTUNREACH || error == EPIPE) return SendResult::no_peer;
    if (error != EAGAIN) state_->fail("send", error);
    if (timeout.count() == 0) return SendResult::full;
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
    switch (receive_frames(state_->handle, into, ZMQ_DONTWAIT)) {
      case Received::message:
        return true;
      case Received::none:
        return false;
      case Received::closed:
        state_->fail("receive", zmq_errno());
      case Received::too_many_frames:
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
void Socket::on_event(std::function<void(const SocketEvent&)> handler) {
  state_->handler = std::move(handler);
}

TimePoint Socket::maintain() {
  state().check_owner();
  const TimePoint now = state_->context->options().clock->now();
  const auto carry_out = [this](const std::vector<ConnectorAction>& actions) {
    try {
      state_->carry_out(actions);
    } catch (const Error& error) {
      state_->log(LogLevel::error, error.what());
    }
  };
  for (int i = 0; i < events_at_a_time; ++i) {
    const std::optional<SocketEvent> event = state_->monitor->next();
    if (!event) break;
    state_->log_event(*event, now);
    state_->peers.on_event(*event);
    carry_out(state_->connector.on_event(*event, now));
    if (state_->handler) state_->handler(*event);
  }
  for (const Resolver::Result& result : state_->resolver.take(now)) {
    carry_out(state_->connector.on_resolved(result.endpoint, result.address, now));
    if (result.address.empty() && state_->handler) {
      state_->handler({SocketEvent::Kind::not_resolved,
                       result.endpoint.str(),
                       {},
                       "cannot resolve '" + printable(result.endpoint.host()) + "'"});
    }
  }
  carry_out(state_->connector.on_time(now));
  const TimePoint next = state_->connector.next_deadline();
  return state_->resolver.busy() ? std::min(next, now + look_up_poll) : next;
}

void Socket::release() noexcept { state_->owner.store(nullptr); }
void Socket::close() noexcept { state_.reset(); }

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

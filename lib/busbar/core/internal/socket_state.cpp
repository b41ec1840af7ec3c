#include "busbar/core/internal/socket_state.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include <zmq.h>

#include <busbar/core/error.hpp>
#include <busbar/core/internal/socket_setup.hpp>

namespace busbar::detail {

using std::chrono::milliseconds;

namespace {

/// An address that differs between any two threads that live at the same time.
const void* this_thread() noexcept {
  thread_local const char marker = 0;
  return &marker;
}

constexpr milliseconds look_up_poll{20};
constexpr milliseconds let_go_grace{1000};  // libzmq keeps its linger time closely
// With no descriptor left libzmq fails to accept, and says so, some 100,000 times a second.
constexpr int events_at_a_time = 100'000;

/// Those that send nothing but subscriptions are cut off at once, so that their peers know.
bool sends_messages(SocketType type) {
  return type != SocketType::pull && type != SocketType::sub && type != SocketType::xsub;
}

}  // namespace

SocketState::SocketState(std::shared_ptr<ContextState> home, SocketType socket_type,
                         SocketOptions socket_options)
    : context(std::move(home)),
      type(socket_type),
      options(std::move(socket_options)),
      connector(options.connect),
      resolver(options.ipv4_only) {
  if (options.name.empty()) options.name = name_of(type);
  check_options(type, options);
}

void SocketState::open() {
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
  monitor = std::make_unique<Monitor>(context->handle(), handle, options.failures_only);
  for (const Endpoint& endpoint : options.bind) {
    bound.push_back(bind_socket(handle, endpoint, options, *monitor));
  }
  carry_out(connector.start(context->options().clock->now()));
}

SocketState::~SocketState() {
  monitor.reset();
  if (handle != nullptr) let_go();
}

void SocketState::see_off(milliseconds longest) {
  const TimePoint end = after(std::chrono::steady_clock::now(), std::min(options.linger, longest));
  Farewell farewell;
  if (sends_messages(type)) monitor->keep_connections(farewell);
  monitor.reset();
  let_go();
  farewell.wait(end);
}

void SocketState::close(milliseconds linger) {
  const int linger_ms = static_cast<int>(linger.count());
  // Fails where the context was stopped, and then there is nothing to linger for.
  zmq_setsockopt(handle, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
  const TimePoint end = after(std::chrono::steady_clock::now(), linger);
  Farewell farewell;
  if (sends_messages(type) && linger.count() > 0) monitor->keep_connections(farewell);
  let_go();
  farewell.wait(end);
  monitor->wait_for_end(linger + let_go_grace);
}

void SocketState::let_go() noexcept {
  zmq_close(handle);
  handle = nullptr;
  if (!zap_domain.empty()) context->access().close_domain(zap_domain);
  context->unlist_socket(id);
}

void SocketState::check_owner() {
  const void* me = this_thread();
  const void* current = owner.load(std::memory_order_relaxed);
  if (current == me) [[likely]]
    return;
  if (current == nullptr && owner.compare_exchange_strong(current, me)) return;
  throw Error(ErrorKind::usage, "socket '" + options.name + "'", "owned by another thread",
              "use it in one thread, or release() it first");
}

void SocketState::fail(const std::string& operation, int error) const {
  const std::string subject = operation + " on socket '" + options.name + "'";
  if (error == ETERM) throw Error(ErrorKind::refused, subject, "the context was stopped");
  if (error == EMFILE) {
    throw Error(ErrorKind::refused, subject, "no room for another socket",
                "raise ContextOptions::max_sockets and the limit on open files (ulimit -n)");
  }
  throw Error(ErrorKind::usage, subject, zmq_strerror(error));
}

void SocketState::log(LogLevel level, const std::string& text) const {
  const LogCallback& callback = context->options().log;
  if (callback) callback(level, "socket '" + options.name + "': " + text);
}

void SocketState::log_event(const SocketEvent& event, TimePoint now) {
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

void SocketState::carry_out(const std::vector<ConnectorAction>& actions) {
  for (const ConnectorAction& action : actions) {
    switch (action.kind) {
      case ConnectorAction::Kind::resolve:
        look_up(Endpoint{action.subject});
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

void SocketState::look_up(const Endpoint& wanted) {
  const TimePoint now = context->options().clock->now();
  if (wanted.transport() != Transport::peer) return resolver.look_up(wanted, now);
  const auto answer = context->services().find(wanted.path());
  if (!answer || answer->endpoint.empty()) return services_wanted.push_back(wanted);
  // At once: who only sends, or is waited for, need not look after its connections before.
  carry_out(connector.on_resolved({wanted, answer->endpoint, {}}, now));
}

/// libzmq says the same of an ipc path that we may not open as of one where nobody listens.
void SocketState::look_for_denial(SocketEvent& event, TimePoint now) {
  constexpr std::string_view ipc = "ipc://";
  if (event.kind != SocketEvent::Kind::retrying || !event.endpoint.starts_with(ipc)) return;
  const std::string path = event.endpoint.substr(ipc.size());
  if (faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0 || errno != EACCES) return;
  event.kind = SocketEvent::Kind::not_resolved;
  event.cause = event.endpoint + ": no permission to connect";
  if (warnings.is_new(event.cause, now)) log(LogLevel::warning, event.cause + " (retrying)");
}

TimePoint SocketState::maintain() {
  check_owner();
  const TimePoint now = context->options().clock->now();
  const auto attempt = [this](const std::vector<ConnectorAction>& actions) {
    try {
      carry_out(actions);
    } catch (const Error& error) {
      log(LogLevel::error, error.what());
    }
  };
  int events = 0;
  for (; events < events_at_a_time; ++events) {
    std::optional<SocketEvent> event = monitor->next();
    if (!event) break;
    log_event(*event, now);
    peers.on_event(*event);
    attempt(connector.on_event(*event, now));
    look_for_denial(*event, now);
    if (handler) handler(*event);
  }
  for (const Resolver::Result& result : take_resolved(now)) {
    attempt(connector.on_resolved(result, now));
    if (result.address.empty() && handler) {
      handler({SocketEvent::Kind::not_resolved, result.endpoint.str(), {}, result.cause});
    }
  }
  attempt(connector.on_time(now));
  const TimePoint next = connector.next_deadline();
  if (events == events_at_a_time) return now;  // no descriptor tells of the others
  const bool busy = resolver.busy() || !services_wanted.empty();
  return busy ? std::min(next, now + look_up_poll) : next;
}

std::vector<Resolver::Result> SocketState::take_resolved(TimePoint now) {
  std::vector<Resolver::Result> results = resolver.take(now);
  std::erase_if(services_wanted, [&](const Endpoint& wanted) {
    const auto answer = context->services().find(wanted.path());
    if (!answer) return false;
    results.push_back({wanted, answer->endpoint, answer->cause});
    return true;
  });
  return results;
}

}  // namespace busbar::detail

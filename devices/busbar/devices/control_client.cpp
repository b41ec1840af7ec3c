#include <algorithm>

#include <busbar/core/error.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/devices/control_client.hpp>

namespace busbar {

using std::chrono::milliseconds;

namespace {

/// Short, so that a failed handshake is noticed long before the deadline.
constexpr milliseconds slice{50};

/// What became of the connection so far.
struct Connection {
  bool made = false;
  bool turned_down = false;
  std::string handshake_failure = {};
  std::string unresolved = {};

  void on_event(const SocketEvent& event) {
    using Kind = SocketEvent::Kind;
    if (event.kind == Kind::connected) made = true;
    if (event.kind == Kind::retrying) turned_down = true;
    if (event.kind == Kind::handshake_failed) handshake_failure = event.cause;
    if (event.kind == Kind::not_resolved) unresolved = event.cause;
  }
};

std::string operation(const control::Request& request, const Endpoint& endpoint) {
  return std::string{name_of(request.command)} + " " + endpoint.str();
}

[[noreturn]] void throw_silent(const std::string& operation, const Connection& connection,
                               milliseconds waited) {
  const std::string within = " within " + std::to_string(waited.count()) + " ms";
  if (!connection.made) {
    throw Error(ErrorKind::unreachable, operation,
                connection.turned_down ? "nobody listens there" : "no connection" + within,
                "is the device running, and is this its control endpoint?");
  }
  throw Error(ErrorKind::timeout, operation, "nobody answered" + within,
              "check that the endpoint is the device's control endpoint, or allow more time");
}

/// Where waiting on is of no use.
void check(const std::string& operation, const Connection& connection) {
  if (!connection.handshake_failure.empty()) {
    throw Error(ErrorKind::refused, operation,
                "the handshake failed: " + connection.handshake_failure,
                "give the keys that the endpoint asks for, or a ZeroMQ endpoint");
  }
  if (!connection.unresolved.empty()) {
    throw Error(ErrorKind::unreachable, operation, connection.unresolved,
                "check the host's name, or the path's permissions");
  }
}

/// `message` without the empty frame that ends the envelope of a REQ.
control::Reply decode(Multipart message) {
  if (!message.empty() && message[0].size() == 0) message.pop_front();
  return control::decode_reply(message);
}

}  // namespace

std::vector<Ledger> ask_control(Context& context, const Endpoint& endpoint,
                                const control::Request& request, milliseconds timeout,
                                const Security& security) {
  const std::string what = operation(request, endpoint);
  const milliseconds patience = timeout + request.deadline.value_or(milliseconds{0});
  const TimePoint start = std::chrono::steady_clock::now();
  Socket socket{context,
                SocketType::dealer,
                {.name = "control client",
                 .connect = {endpoint},
                 .security = security,
                 .linger = milliseconds{0}}};
  // An inproc connection has no events.
  Connection connection{.made = endpoint.transport() == Transport::inproc};
  socket.on_event([&](const SocketEvent& event) { connection.on_event(event); });
  Multipart message = control::encode(request);
  message.push_front(std::string_view{});
  bool sent = false;
  while (true) {
    // The request's own deadline runs only where somebody has it.
    const milliseconds waits = connection.made ? patience : timeout;
    const auto left = left_until(after(start, waits), std::chrono::steady_clock::now());
    if (left.count() <= 0) throw_silent(what, connection, waits);
    if (!sent) {
      sent = socket.send(message, std::min(left, slice)) == SendResult::sent;
    } else if (auto answer = socket.receive(std::min(left, slice))) {
      control::Reply reply = decode(std::move(*answer));
      if (reply.status == control::Status::ok) return std::move(reply.ledgers);
      throw Error(ErrorKind::refused, what, printable(reply.text));
    }
    check(what, connection);
  }
}

}  // namespace busbar

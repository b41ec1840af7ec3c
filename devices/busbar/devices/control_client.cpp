#include <algorithm>

#include <busbar/core/error.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/devices/control_client.hpp>

namespace busbar {

using std::chrono::milliseconds;

namespace {

/// Short, so that a failed handshake is noticed long before the deadline.
constexpr milliseconds slice{50};

std::string operation(const control::Request& request, const Endpoint& endpoint) {
  return std::string{name_of(request.command)} + " " + endpoint.str();
}

[[noreturn]] void throw_silent(const std::string& operation, milliseconds waited) {
  throw Error(ErrorKind::timeout, operation,
              "nobody answered within " + std::to_string(waited.count()) + " ms",
              "check that the endpoint is the device's control endpoint, or allow more time");
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
  const TimePoint deadline = after(std::chrono::steady_clock::now(), patience);
  Socket socket{context,
                SocketType::dealer,
                {.name = "control client",
                 .connect = {endpoint},
                 .security = security,
                 .linger = milliseconds{0}}};
  std::string failure;
  socket.on_event([&](const SocketEvent& event) {
    if (event.kind == SocketEvent::Kind::handshake_failed) failure = event.cause;
  });
  Multipart message = control::encode(request);
  message.push_front(std::string_view{});
  if (socket.send(message, patience) != SendResult::sent) throw_silent(what, patience);
  while (true) {
    const auto left = left_until(deadline, std::chrono::steady_clock::now());
    if (left.count() <= 0) throw_silent(what, patience);
    if (auto answer = socket.receive(std::min(left, slice))) {
      control::Reply reply = decode(std::move(*answer));
      if (reply.status == control::Status::ok) return std::move(reply.ledgers);
      throw Error(ErrorKind::refused, what, printable(reply.text));
    }
    if (!failure.empty()) {
      throw Error(ErrorKind::refused, what, "the handshake failed: " + failure,
                  "give the keys that the endpoint asks for, or a ZeroMQ endpoint");
    }
  }
}

}  // namespace busbar

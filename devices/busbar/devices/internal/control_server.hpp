/// A device's control endpoint: lib/WIRE.md, "Control".
#pragma once

#include <functional>
#include <string>

#include <busbar/core/context.hpp>
#include <busbar/core/control_protocol.hpp>
#include <busbar/core/socket.hpp>

namespace busbar::detail {

/// Answers REQ and DEALER peers. Whatever comes is answered or, where it has no envelope to answer
/// to, ignored.
class ControlServer {
 public:
  ControlServer(Context& context, const std::string& device, const Endpoint& endpoint,
                const Security& security);

  /// Where a reply goes.
  using Envelope = Multipart;
  /// Answers at once with the reply, or keeps the envelope and calls `answer` later.
  using Handler = std::function<std::optional<control::Reply>(const control::Request&, Envelope&)>;
  /// Serves what has come, at most 100 requests at a time.
  void serve(const Handler& handler);
  void answer(Envelope& envelope, const control::Reply& reply);

  TimePoint maintain() { return socket_.maintain(); }
  void* handle() { return socket_.raw().handle(); }
  void* monitor() { return socket_.monitor().handle(); }
  Endpoint bound() const { return socket_.bound().front(); }

 private:
  Context context_;
  std::string device_;
  Socket socket_;
};

}  // namespace busbar::detail

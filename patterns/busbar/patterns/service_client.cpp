#include "busbar/patterns/service_client.hpp"

#include <busbar/core/error.hpp>
#include <busbar/patterns/internal/service_protocol.hpp>

namespace busbar {

namespace majordomo = protocol::majordomo;
using majordomo::Command;
using std::chrono::milliseconds;

std::string_view ServiceReply::payload() const {
  if (!answered_) {
    throw Error(ErrorKind::timeout, "read the reply of service '" + printable(service_) + "'",
                "none came in time", "is a worker there? Or allow more time");
  }
  return frames_.empty() ? std::string_view{} : frames_.text(0);
}

ServiceClient::ServiceClient(Context& context, const Endpoint& broker)
    : ServiceClient(context, ServiceClientOptions{.connect = {broker}}) {}

ServiceClient::ServiceClient(Context& context, ServiceClientOptions options)
    : context_(context), options_(std::move(options)) {
  if (options_.connect.empty()) {
    throw Error(ErrorKind::usage, "service client '" + options_.name + "'", "it has no endpoint",
                "give the broker's to connect to");
  }
  connect();
  socket_->release();  // to whoever calls
}

/// What comes for the old connection comes to nobody.
void ServiceClient::connect() {
  socket_.reset();
  const Endpoint& broker = options_.connect[next_broker_++ % options_.connect.size()];
  socket_.emplace(context_, SocketType::dealer,
                  SocketOptions{.name = options_.name,
                                .connect = {broker},
                                .security = options_.security,
                                .linger = milliseconds{0}});
}

void ServiceClient::ask(std::string_view service, std::string_view payload) {
  Multipart frames;
  put_head(frames, majordomo::Role::client, majordomo::dialect_of(options_.version),
           Command::request);
  frames.push_back(service);
  frames.push_back(payload);
  // Never full: it is the only message of its connection.
  [[maybe_unused]] const SendResult sent = socket_->send(frames);
}

ServiceReply ServiceClient::call(std::string_view service, std::string_view payload,
                                 milliseconds timeout, const With& with) {
  ServiceReply reply = converse(service, payload, timeout, with);
  socket_->release();  // to whoever calls next
  return reply;
}

ServiceReply ServiceClient::converse(std::string_view service, std::string_view payload,
                                     milliseconds timeout, const With& with) {
  const std::string operation = "call service '" + printable(service) + "'";
  if (service.empty() || service.size() > majordomo::service_bytes_max) {
    throw Error(ErrorKind::usage, operation, "its name is empty, or longer than 255 bytes",
                "give another name");
  }
  if (payload.size() > limits::message_bytes) {
    throw Error(ErrorKind::usage, operation, "the payload is above 64 MiB", "send less at a time");
  }
  const bool parts_go_out = with.on_part && !with.idempotent;
  const milliseconds third = with.attempt.count() > 0 ? with.attempt : timeout / 3;
  const auto now = [] { return std::chrono::steady_clock::now(); };
  detail::CallProtocol protocol{now(), timeout,
                                with.idempotent ? std::max(third, milliseconds{1}) : timeout};
  ask(service, payload);
  Multipart body;
  while (true) {
    if (auto frames = socket_->receive(left_until(protocol.next_deadline(), now()))) {
      const auto message = majordomo::read(*frames, 0, false);
      if (!message || message->role != majordomo::Role::client ||
          frames->text(message->subject) != service) {
        context_.log(LogLevel::warning, operation + ": ignored a message that is no answer to it");
        continue;
      }
      const bool part = message->command == Command::partial;
      for (std::size_t i = message->body; i < frames->size(); ++i) {
        if (part && parts_go_out) {
          with.on_part(frames->text(i));
        } else {
          body.push_back(std::move((*frames)[i]));
        }
      }
      if (!part) return {std::string{service}, std::move(body)};
    }
    const auto step = protocol.on_time(now());
    if (step == detail::CallProtocol::Step::wait) continue;
    body.clear();
    connect();
    if (step == detail::CallProtocol::Step::give_up) return ServiceReply{std::string{service}};
    ask(service, payload);
  }
}

std::optional<bool> ServiceClient::is_served(std::string_view service, milliseconds timeout) {
  const ServiceReply reply = call(majordomo::mmi_service, service, timeout, {.idempotent = true});
  if (!reply) return std::nullopt;
  return reply.payload() == "200";
}

}  // namespace busbar

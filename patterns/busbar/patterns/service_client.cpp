#include "busbar/patterns/service_client.hpp"

#include <busbar/core/error.hpp>
#include <busbar/patterns/internal/service_link.hpp>

namespace busbar {

namespace majordomo = protocol::majordomo;
using detail::BrokerState, detail::CallProtocol;
using majordomo::Command;
using std::chrono::milliseconds;

namespace {

std::string operation(std::string_view service) {
  return "call service '" + printable(service) + "'";
}

ServiceClientOptions checked(ServiceClientOptions options) {
  if (!options.connect.empty()) return options;
  throw Error(ErrorKind::usage, "service client '" + options.name + "'", "it has no endpoint",
              "give the broker's to connect to");
}

void check(std::string_view service, std::string_view payload) {
  if (service.empty() || service.size() > majordomo::service_bytes_max) {
    throw Error(ErrorKind::usage, operation(service), "its name is empty, or longer than 255 bytes",
                "give another name");
  }
  if (payload.size() > limits::message_bytes) {
    throw Error(ErrorKind::usage, operation(service), "the payload is above 64 MiB",
                "send less at a time");
  }
}

RequestError expired(std::string_view service) {
  return {Outcome::expired, ErrorKind::timeout, operation(service), "no answer came in time",
          "is a worker there? Or allow more time"};
}

RequestError lost(std::string_view service) {
  return {Outcome::lost, ErrorKind::unreachable, operation(service),
          "the connection to the broker was lost, and nobody knows whether it was worked on",
          "call again if it may be done twice"};
}

RequestError no_peer(std::string_view service, const detail::ServiceLink& link) {
  const auto made = [&](ErrorKind kind, const std::string& cause, const std::string& remedy) {
    return RequestError{Outcome::no_peer, kind, operation(service), "it was never sent: " + cause,
                        remedy};
  };
  if (!link.trouble().handshake_failure.empty()) {
    return made(ErrorKind::refused, "the handshake failed: " + link.trouble().handshake_failure,
                "check what is there, our keys, the broker's key and its allow list");
  }
  if (!link.trouble().unresolved.empty()) {
    return made(ErrorKind::unreachable, link.trouble().unresolved,
                "check the host's name, or the path's permissions");
  }
  return made(ErrorKind::unreachable, "no broker was there in time",
              "start it, or allow more time");
}

}  // namespace

std::string_view ServiceReply::payload() const {
  check();
  return final_ < frames_.size() ? frames_.text(final_) : std::string_view{};
}

ServiceClient::ServiceClient(Context& context, const Endpoint& broker)
    : ServiceClient(context, ServiceClientOptions{.connect = {broker}}) {}

ServiceClient::ServiceClient(Context& context, ServiceClientOptions options)
    : context_(context),
      version_(options.version),
      link_(std::make_unique<detail::ServiceLink>(context, checked(std::move(options)))) {
  link_->release();  // to whoever calls
}

ServiceClient::ServiceClient(ServiceClient&&) noexcept = default;
ServiceClient& ServiceClient::operator=(ServiceClient&&) noexcept = default;
ServiceClient::~ServiceClient() = default;

void ServiceClient::ask(std::string_view service, std::string_view payload) {
  Multipart frames;
  put_head(frames, majordomo::Role::client, majordomo::dialect_of(version_), Command::request);
  frames.push_back(service);
  frames.push_back(payload);
  link_->send(frames);
  ++ledger_.sent;
}

ServiceReply ServiceClient::call(std::string_view service, std::string_view payload,
                                 milliseconds timeout, const CallOptions& options) {
  check(service, payload);
  ++ledger_.called;
  try {
    ServiceReply reply = converse(service, payload, timeout, options);
    ++(reply.ok()                            ? ledger_.replied
       : reply.outcome() == Outcome::no_peer ? ledger_.no_peer
       : reply.outcome() == Outcome::lost    ? ledger_.lost
                                             : ledger_.expired);
    link_->release();  // to whoever calls next
    return reply;
  } catch (...) {
    // What may still come must not be taken for the next one's.
    link_->cut();
    ++ledger_.failed;
    throw;
  }
}

ServiceReply ServiceClient::converse(std::string_view service, std::string_view payload,
                                     milliseconds timeout, const CallOptions& options) {
  const auto now = [this] { return context_.clock().now(); };
  link_->wake();
  CallProtocol protocol{
      now(),
      {.timeout = timeout,
       .attempt = options.attempt_timeout.count() > 0 ? options.attempt_timeout : timeout / 3,
       .idempotent = options.idempotent,
       .brokers = link_->brokers()},
      link_->state()};
  Multipart body;
  while (true) {
    switch (protocol.step(now())) {
      case CallProtocol::Step::connect:
        body.clear();
        link_->connect();
        continue;
      case CallProtocol::Step::send:
        ask(service, payload);
        if (protocol.sent() > 1) ++ledger_.retried;
        break;
      case CallProtocol::Step::give_up:
        if (protocol.sent() == 0) return ServiceReply{no_peer(service, *link_)};
        // Not connected anew: who ends now would do so in the middle of that handshake.
        link_->cut();
        return ServiceReply{protocol.lost() ? lost(service) : expired(service)};
      case CallProtocol::Step::wait:
        break;
    }
    if (auto frames = link_->receive(protocol.next_deadline())) {
      const std::size_t before = body.size();
      if (take(service, *frames, options, body)) return {std::move(body), before};
    }
    for (const BrokerState news : link_->take_news()) protocol.on_news(news, now());
  }
}

bool ServiceClient::take(std::string_view service, Multipart& frames, const CallOptions& options,
                         Multipart& body) {
  const auto message = majordomo::read(frames, 0, false);
  if (!message || message->role != majordomo::Role::client ||
      frames.text(message->subject) != service) {
    ++ledger_.malformed;
    context_.log(LogLevel::warning,
                 operation(service) + ": ignored a message that is no answer to it");
    return false;
  }
  const bool part = message->command == Command::partial;
  const bool goes_out = part && options.on_part && !options.idempotent;
  for (std::size_t i = message->body; i < frames.size(); ++i) {
    if (goes_out) {
      options.on_part(frames.text(i));
    } else {
      body.push_back(std::move(frames[i]));
    }
  }
  return !part;
}

std::optional<bool> ServiceClient::is_served(std::string_view service, milliseconds timeout) {
  const ServiceReply reply = call(majordomo::mmi_service, service, timeout, {.idempotent = true});
  if (!reply.ok()) return std::nullopt;
  return reply.payload() == "200";
}

ServiceClientLedger ServiceClient::ledger() const {
  ServiceClientLedger made = ledger_;
  made.connected = link_->state() == BrokerState::connected;
  made.handshake_failure = link_->trouble().handshake_failure;
  made.unresolved = link_->trouble().unresolved;
  return made;
}

}  // namespace busbar

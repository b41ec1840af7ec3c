#include "busbar/devices/internal/control_server.hpp"

namespace busbar::detail {

namespace {
constexpr int burst = 100;
constexpr std::size_t request_max = 4096;  // bytes a frame; replies have no such bound
}  // namespace

ControlServer::ControlServer(Context& context, const std::string& device, const Endpoint& endpoint,
                             const Security& security)
    : context_(context),
      device_(device),
      socket_(context, SocketType::router,
              {.name = device + ".control",
               .bind = {endpoint},
               .security = security,
               .receive_max = request_max}) {}

void ControlServer::serve(const Handler& handler) {
  Multipart message;
  for (int i = 0; i < burst && socket_.receive(message); ++i) {
    Envelope envelope;
    envelope.push_back(message.pop_front());
    if (!message.empty() && message[0].size() == 0) envelope.push_back(message.pop_front());
    const control::Decoded decoded = control::decode_request(message);
    if (!decoded.request) {
      answer(envelope, decoded.refusal);
    } else if (const auto reply = handler(*decoded.request, envelope)) {
      answer(envelope, *reply);
    }
  }
}

void ControlServer::answer(Envelope& envelope, const control::Reply& reply) {
  Multipart message = control::encode(reply);
  while (!envelope.empty()) {
    message.push_front(std::move(envelope[envelope.size() - 1]));
    envelope.pop_back();
  }
  // Who does not read its replies loses them: the device comes first.
  if (socket_.send(message) != SendResult::sent) {
    context_.log(LogLevel::warning, "control endpoint of '" + device_ + "': a reply was not sent");
  }
}

}  // namespace busbar::detail

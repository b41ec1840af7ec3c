#include "busbar/core/internal/zap.hpp"

#include <array>

#include <busbar/core/error.hpp>
#include <busbar/core/internal/frames.hpp>
#include <busbar/core/internal/repeat_filter.hpp>

namespace busbar::detail {

std::string ZapPolicy::open_domain(std::string socket_name, std::shared_ptr<AllowList> allow) {
  const std::scoped_lock lock(mutex_);
  std::string domain = "busbar." + std::to_string(++next_);
  domains_.emplace(domain, Domain{std::move(socket_name), std::move(allow)});
  return domain;
}

void ZapPolicy::close_domain(const std::string& domain) {
  const std::scoped_lock lock(mutex_);
  domains_.erase(domain);
}

ZapPolicy::Answer ZapPolicy::decide(const Multipart& request) const {
  if (request.size() < 6 || request.text(0) != "1.0") return {"500", "not a ZAP 1.0 request"};
  std::string address = printable(request.text(3));
  // A dual-stack listener shows an IPv4 peer as a mapped address.
  if (address.starts_with("::ffff:")) address.erase(0, 7);
  const std::string_view mechanism = request.text(5);

  const std::scoped_lock lock(mutex_);
  const auto found = domains_.find(request.text(2));
  if (found == domains_.end()) return {"400", "no such domain", {}, address + ": no such domain"};
  const Domain& domain = found->second;
  const std::string who = "socket '" + domain.socket_name + "': " + address;
  if (!domain.allow) {
    if (mechanism == "NULL") return {"200", "OK"};
    return {"400", "this socket has no keys", {}, who + " came with keys to a socket without"};
  }
  if (mechanism != "CURVE" || request.size() != 7 || request[6].size() != 32) {
    return {"400", "keys are required", {}, who + " refused: it came without CURVE keys"};
  }
  std::array<char, 41> key{};
  zmq_z85_encode(key.data(), static_cast<const std::uint8_t*>(request[6].data()), 32);
  if (domain.allow->allows(key.data())) return {"200", "OK", key.data()};
  return {"400",
          "not on the allow-list",
          {},
          who + " refused: key " + key.data() + " is not on the allow-list"};
}

namespace {

void serve(void* socket, const ZapPolicy& policy, const LogCallback& log) {
  Multipart request;
  RepeatFilter refusals;
  while (true) {
    const Received received = receive_frames(socket, request, 0);
    if (received == Received::closed) return;
    if (received != Received::message) continue;
    const ZapPolicy::Answer answer = policy.decide(request);
    if (log && !answer.log.empty() &&
        refusals.is_new(answer.log, std::chrono::steady_clock::now())) {
      log(LogLevel::warning, answer.log);
    }
    const std::string_view id = request.size() > 1 ? request.text(1) : std::string_view{};
    Multipart reply{"1.0", id, answer.code, answer.text, answer.user, ""};
    if (send_frames(socket, reply, 0) == ETERM) return;
  }
}

}  // namespace

ZapHandler::ZapHandler(void* context, const ZapPolicy& policy, LogCallback log) {
  void* socket = zmq_socket(context, ZMQ_REP);
  if (socket == nullptr || zmq_bind(socket, "inproc://zeromq.zap.01") != 0) {
    const std::string cause = zmq_strerror(zmq_errno());
    if (socket != nullptr) zmq_close(socket);
    throw Error(ErrorKind::unreachable, "start access control", cause);
  }
  thread_ = std::thread([socket, &policy, log = std::move(log)] {
    serve(socket, policy, log);
    zmq_close(socket);
  });
}

ZapHandler::~ZapHandler() { thread_.join(); }

}  // namespace busbar::detail

#include "busbar/core/internal/resolver.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <busbar/core/error.hpp>

namespace busbar::detail {

namespace {

constexpr std::chrono::seconds longest{5};
constexpr int probe_ms = 1000;

bool somebody_listens(const addrinfo& candidate) {
  const int probe = socket(candidate.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  bool connected = connect(probe, candidate.ai_addr, candidate.ai_addrlen) == 0;
  if (!connected && errno == EINPROGRESS) {
    pollfd writable{probe, POLLOUT, 0};
    int error = 0;
    socklen_t size = sizeof error;
    connected = poll(&writable, 1, probe_ms) == 1 &&
                getsockopt(probe, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  }
  close(probe);
  return connected;
}

std::string address_of(const Endpoint& endpoint, bool ipv4_only) {
  addrinfo hints{};
  hints.ai_family = ipv4_only ? AF_INET : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(endpoint.port());
  if (getaddrinfo(endpoint.host().c_str(), port.c_str(), &hints, &found) != 0) return {};
  const addrinfo* chosen = found;
  // One address needs no probe, which the server would see as a peer that hangs up.
  for (const addrinfo* next = found; found->ai_next != nullptr && next; next = next->ai_next) {
    if (!somebody_listens(*next)) continue;
    chosen = next;
    break;
  }
  std::array<char, NI_MAXHOST> text{};
  const int failed = getnameinfo(chosen->ai_addr, chosen->ai_addrlen, text.data(), text.size(),
                                 nullptr, 0, NI_NUMERICHOST);
  freeaddrinfo(found);
  return failed == 0 ? text.data() : std::string{};
}

}  // namespace

struct Resolver::LookUp {
  explicit LookUp(const Endpoint& wanted, TimePoint latest) : endpoint(wanted), deadline(latest) {}

  Endpoint endpoint;
  TimePoint deadline;
  std::string address = {};
  std::atomic<bool> done = false;
};

void Resolver::look_up(const Endpoint& endpoint, TimePoint now) {
  for (const auto& pending : pending_) {
    if (pending->endpoint == endpoint) return;
  }
  auto look_up = std::make_shared<LookUp>(endpoint, now + longest);
  std::thread([look_up, ipv4_only = ipv4_only_] {
    look_up->address = address_of(look_up->endpoint, ipv4_only);
    look_up->done.store(true, std::memory_order_release);
  }).detach();
  pending_.push_back(std::move(look_up));
}

std::vector<Resolver::Result> Resolver::take(TimePoint now) {
  std::vector<Result> results;
  std::erase_if(pending_, [&](const std::shared_ptr<LookUp>& pending) {
    const bool done = pending->done.load(std::memory_order_acquire);
    if (!done && now < pending->deadline) return false;
    Result result{pending->endpoint, done ? pending->address : std::string{}};
    if (result.address.empty()) {
      result.cause = "cannot resolve '" + printable(pending->endpoint.host()) + "'";
    }
    results.push_back(std::move(result));
    return true;
  });
  return results;
}

}  // namespace busbar::detail

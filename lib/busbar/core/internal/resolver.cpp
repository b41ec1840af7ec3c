#include "busbar/core/internal/resolver.hpp"

#include <array>
#include <atomic>
#include <netdb.h>
#include <sys/socket.h>
#include <thread>

namespace busbar {

namespace {

constexpr std::chrono::seconds longest{5};

std::string address_of(const std::string& host, bool ipv4_only) {
  addrinfo hints{};
  hints.ai_family = ipv4_only ? AF_INET : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return {};
  std::array<char, NI_MAXHOST> text{};
  const int failed = getnameinfo(found->ai_addr, found->ai_addrlen, text.data(), text.size(),
                                 nullptr, 0, NI_NUMERICHOST);
  freeaddrinfo(found);
  return failed == 0 ? text.data() : std::string{};
}

}  // namespace

struct Resolver::LookUp {
  std::string host;
  TimePoint deadline;
  std::string address = {};
  std::atomic<bool> done = false;
};

void Resolver::look_up(const std::string& host, TimePoint now) {
  for (const auto& pending : pending_) {
    if (pending->host == host) return;
  }
  auto look_up = std::make_shared<LookUp>();
  look_up->host = host;
  look_up->deadline = now + longest;
  std::thread([look_up, ipv4_only = ipv4_only_] {
    look_up->address = address_of(look_up->host, ipv4_only);
    look_up->done.store(true, std::memory_order_release);
  }).detach();
  pending_.push_back(std::move(look_up));
}

std::vector<Resolver::Result> Resolver::take(TimePoint now) {
  std::vector<Result> results;
  std::erase_if(pending_, [&](const std::shared_ptr<LookUp>& pending) {
    const bool done = pending->done.load(std::memory_order_acquire);
    if (!done && now < pending->deadline) return false;
    results.push_back({pending->host, done ? pending->address : std::string{}});
    return true;
  });
  return results;
}

}  // namespace busbar

#include "program/bench/peers.hpp"

#include "program/bench/process.hpp"
#include "program/bench/waiting.hpp"
#include "program/waiter.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <memory>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include <busbar/patterns/peer.hpp>

namespace busbar::program::bench {
namespace {

using std::chrono::steady_clock;

// Places in Shared::nanoseconds; each has one for each process.
constexpr std::size_t processes_max = 16;
constexpr std::size_t last_start = 0;
constexpr std::size_t all_known = processes_max;
constexpr std::size_t one_more = 2 * processes_max;
constexpr std::size_t killed = 3 * processes_max;

std::uint64_t now() {
  return static_cast<std::uint64_t>(steady_clock::now().time_since_epoch().count());
}

std::uint16_t free_udp_port() {
  const int probe = ::socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  const bool bound = ::bind(probe, any, size) == 0 && ::getsockname(probe, any, &size) == 0;
  ::close(probe);
  if (!bound) throw Error{ErrorKind::unreachable, "bench peers", "no UDP port is free"};
  return ntohs(address.sin_port);
}

PeerOptions peer_options(std::uint16_t port) {
  return {.beacon_port = port,
          .evasive_after = std::chrono::milliseconds{4000},
          .expire_after = peers_expire_after};
}

/// Two descriptors for each connection are more than a process is given by default.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void be_peers(std::size_t mine, std::size_t count, std::uint16_t port, std::size_t place,
              Shared& shared) {
  raise_descriptor_limit();
  Context context;
  std::vector<std::unique_ptr<Peer>> peers;
  for (std::size_t i = 0; i < mine; ++i)
    peers.push_back(std::make_unique<Peer>(context, peer_options(port)));
  shared.nanoseconds[last_start + place] = now();
  const auto when_all_know = [&](std::size_t others, std::size_t what) {
    for (const auto& peer : peers)
      if (!in_time([&] { peer->wait_for_peers(others, longest_await); })) ::_exit(1);
    shared.nanoseconds[what + place] = now();
    ++shared.ready;
  };
  when_all_know(count - 1, all_known);
  when_all_know(count, one_more);
  for (const auto& peer : peers)
    while (peer->ledger().peers != count - 1) ::usleep(1000);
  shared.nanoseconds[killed + place] = now();
  ++shared.ready;
  while (true) ::pause();
}

}  // namespace

PeersMeasured measure_peers(std::size_t count, std::size_t processes) {
  const std::uint16_t port = free_udp_port();
  SharedMemory shared;
  std::vector<std::unique_ptr<Process>> all;
  for (std::size_t i = 0; i < processes; ++i) {
    const std::size_t mine = count / processes + (i < count % processes ? 1 : 0);
    all.push_back(std::make_unique<Process>(
        [&, mine, i](const Announce&) { be_peers(mine, count, port, i, *shared); }));
  }
  const auto latest = [&](std::size_t what) {
    return *std::max_element(shared->nanoseconds + what, shared->nanoseconds + what + processes);
  };
  const auto seconds = [](std::uint64_t from, std::uint64_t to) {
    return static_cast<double>(to - std::min(from, to)) / 1e9;
  };
  PeersMeasured measured;
  await("peers", [&] { return shared->ready == processes; });
  measured.all_known_s = seconds(latest(last_start), latest(all_known));

  const auto cpu = [&] {
    double used = 0;
    for (const auto& process : all) used += process->cpu_seconds();
    return used;
  };
  const double before = cpu();
  std::this_thread::sleep_for(std::chrono::seconds{1});
  measured.cores = cpu() - before;

  const std::uint64_t started = now();
  auto victim = std::make_unique<Process>([&](const Announce&) {
    Context context;
    Peer peer{context, peer_options(port)};
    while (true) ::pause();
  });
  await("peers", [&] { return shared->ready == 2 * processes; });
  measured.one_more_s = seconds(started, latest(one_more));
  const std::uint64_t end = now();
  victim.reset();  // SIGKILL
  await("peers", [&] { return shared->ready == 3 * processes; });
  measured.killed_s = seconds(end, latest(killed));
  return measured;
}

}  // namespace busbar::program::bench

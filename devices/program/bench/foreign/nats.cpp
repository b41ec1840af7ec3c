#include "program/bench/foreign/clients.hpp"

#include <nats/nats.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace busbar::program::bench {
namespace {

natsConnection* connect(const std::string& to) {
  natsConnection* connection = nullptr;
  if (natsConnection_ConnectTo(&connection, ("nats://" + to).c_str()) != NATS_OK) ::_exit(1);
  return connection;
}

void count(natsConnection*, natsSubscription*, natsMsg* message, void* shared) {
  static_cast<Shared*>(shared)->received.fetch_add(1, std::memory_order_relaxed);
  natsMsg_Destroy(message);
}

void publish(const std::string& to, std::size_t size) {
  natsConnection* const connection = connect(to);
  const std::vector<char> payload(size, 'x');
  while (natsConnection_Publish(connection, "bench", payload.data(), static_cast<int>(size)) ==
         NATS_OK) {
  }
  ::_exit(1);
}

void subscribe(const std::string& from, std::size_t count_of, Shared& shared) {
  for (std::size_t i = 0; i < count_of; ++i) {
    natsConnection* const connection = connect(from);
    natsSubscription* subscription = nullptr;
    natsConnection_Subscribe(&subscription, connection, "bench", count, &shared);
    natsSubscription_SetPendingLimits(subscription, -1, -1);
    natsConnection_Flush(connection);
  }
  ++shared.ready;
  while (true) ::pause();
}

}  // namespace

const Client nats_client{publish, subscribe};

}  // namespace busbar::program::bench

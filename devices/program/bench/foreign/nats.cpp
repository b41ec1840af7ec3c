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

struct Asking {
  std::string payload;
  std::string inbox;
  Shared* shared;
};

void ask_one(natsConnection* connection, const Asking& asking) {
  natsConnection_PublishRequest(connection, "echo", asking.inbox.c_str(), asking.payload.data(),
                                static_cast<int>(asking.payload.size()));
}

void answered(natsConnection* connection, natsSubscription*, natsMsg* message, void* closure) {
  const Asking& asking = *static_cast<Asking*>(closure);
  asking.shared->received.fetch_add(1, std::memory_order_relaxed);
  natsMsg_Destroy(message);
  ask_one(connection, asking);
}

void ask(const std::string& to, std::size_t size, std::size_t in_flight, Shared& shared) {
  natsConnection* const connection = connect(to);
  Asking asking{std::string(size, 'x'), "_INBOX.bench", &shared};
  natsSubscription* subscription = nullptr;
  natsConnection_Subscribe(&subscription, connection, asking.inbox.c_str(), answered, &asking);
  for (std::size_t i = 0; i < in_flight; ++i) ask_one(connection, asking);
  while (true) ::pause();
}

void answer(natsConnection* connection, natsSubscription*, natsMsg* message, void*) {
  natsConnection_Publish(connection, natsMsg_GetReply(message), natsMsg_GetData(message),
                         natsMsg_GetDataLength(message));
  natsMsg_Destroy(message);
}

void serve(const std::string& from, std::size_t workers, Shared& shared) {
  for (std::size_t i = 0; i < workers; ++i) {
    natsConnection* const connection = connect(from);
    natsSubscription* subscription = nullptr;
    natsConnection_QueueSubscribe(&subscription, connection, "echo", "workers", answer, nullptr);
    natsConnection_Flush(connection);
  }
  ++shared.ready;
  while (true) ::pause();
}

}  // namespace

const Client nats_client{publish, subscribe};
const Requests nats_requests{ask, serve};

}  // namespace busbar::program::bench

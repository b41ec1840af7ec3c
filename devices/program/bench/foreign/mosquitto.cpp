#include "program/bench/foreign/clients.hpp"

#include <mosquitto.h>
#include <poll.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace busbar::program::bench {
namespace {

mosquitto* connect(const std::string& to, void* user) {
  const std::size_t colon = to.find(':');
  mosquitto_lib_init();
  mosquitto* const client = mosquitto_new(nullptr, true, user);
  const int port = std::stoi(to.substr(colon + 1));
  if (mosquitto_connect(client, to.substr(0, colon).c_str(), port, 60) != MOSQ_ERR_SUCCESS)
    ::_exit(1);
  return client;
}

void count(mosquitto*, void* shared, const mosquitto_message*) {
  static_cast<Shared*>(shared)->received.fetch_add(1, std::memory_order_relaxed);
}

void publish(const std::string& to, std::size_t size) {
  mosquitto* const client = connect(to, nullptr);
  const std::vector<char> payload(size, 'x');
  while (mosquitto_publish(client, nullptr, "bench", static_cast<int>(size), payload.data(), 0,
                           false) == MOSQ_ERR_SUCCESS) {
    // The library queues without bound what the socket does not take.
    while (mosquitto_want_write(client)) {
      pollfd wait{mosquitto_socket(client), POLLOUT, 0};
      ::poll(&wait, 1, 100);
      mosquitto_loop_write(client, 1);
    }
  }
  ::_exit(1);
}

void subscribe(const std::string& from, std::size_t count_of, Shared& shared) {
  std::vector<mosquitto*> clients;
  std::vector<pollfd> sockets;
  for (std::size_t i = 0; i < count_of; ++i) {
    clients.push_back(connect(from, &shared));
    mosquitto_message_callback_set(clients.back(), count);
    mosquitto_subscribe(clients.back(), nullptr, "bench", 0);
    sockets.push_back({mosquitto_socket(clients.back()), POLLIN, 0});
    mosquitto_loop(clients.back(), 1000, 1);
  }
  ++shared.ready;
  while (true) {
    ::poll(sockets.data(), sockets.size(), 1000);
    for (std::size_t i = 0; i < count_of; ++i)
      if (sockets[i].revents != 0) mosquitto_loop_read(clients[i], 1000);
    for (mosquitto* client : clients) mosquitto_loop_misc(client);
  }
}

}  // namespace

const Client mosquitto_client{publish, subscribe};

}  // namespace busbar::program::bench

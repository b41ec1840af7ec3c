#include "program/bench/pubsub_roles.hpp"

#include "program/bench/foreign/clients.hpp"

#include <chrono>
#include <cstring>
#include <memory>
#include <poll.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <zmq.hpp>

#include <busbar/devices/device.hpp>
#include <busbar/patterns/publisher.hpp>
#include <busbar/patterns/subscriber.hpp>

namespace busbar::program::bench {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr const char* anywhere = "tcp://127.0.0.1:*";
constexpr const char* topic = "bench";
constexpr auto forever = std::chrono::hours{24};

bool is_ours(Carrier carrier) {
  return carrier == Carrier::batched || carrier == Carrier::unbatched;
}

/// Null where the build did not find the system's library.
const Client* client_of([[maybe_unused]] Carrier carrier) {
#ifdef BUSBAR_WITH_NATS
  if (carrier == Carrier::nats) return &nats_client;
#endif
#ifdef BUSBAR_WITH_MOSQUITTO
  if (carrier == Carrier::mosquitto) return &mosquitto_client;
#endif
  return nullptr;
}

PublisherOptions publisher_options(Carrier carrier, const std::string& to) {
  PublisherOptions options{
      .connect = {to}, .slow = SlowSubscriber::block, .block_for = forever, .queue = 1000};
  if (carrier == Carrier::batched) {
    options.batching.emplace();
    options.queue = 20;  // batches: enough to keep the connection busy
  }
  return options;
}

void be_stock_publisher(const std::string& to, std::size_t size, std::size_t subscribers) {
  zmq::context_t context;
  zmq::socket_t socket{context, zmq::socket_type::xpub};
  socket.set(zmq::sockopt::xpub_nodrop, true);
  socket.connect(to);
  for (std::size_t i = 0; i < std::min<std::size_t>(subscribers, 1); ++i) {
    zmq::message_t subscription;
    (void)socket.recv(subscription);
  }
  const std::vector<char> payload(size, 'x');
  while (true) {
    zmq::message_t name{topic, std::strlen(topic)};
    zmq::message_t message{payload.data(), payload.size()};
    (void)socket.send(name, zmq::send_flags::sndmore);
    (void)socket.send(message, zmq::send_flags::none);
  }
}

void be_stock_subscribers(const std::string& from, std::size_t count, Shared& shared) {
  zmq::context_t context;
  std::vector<zmq::socket_t> sockets;
  std::vector<zmq::pollitem_t> items;
  for (std::size_t i = 0; i < count; ++i) {
    sockets.emplace_back(context, zmq::socket_type::sub);
    sockets.back().set(zmq::sockopt::subscribe, topic);
    sockets.back().connect(from);
  }
  for (zmq::socket_t& socket : sockets) items.push_back({socket.handle(), 0, ZMQ_POLLIN, 0});
  ++shared.ready;
  std::uint64_t received = 0;
  zmq::message_t message;
  while (true) {
    if (count > 1) zmq::poll(items);
    for (std::size_t i = 0; i < count; ++i) {
      if (count > 1 && items[i].revents == 0) continue;
      const auto flags = count > 1 ? zmq::recv_flags::dontwait : zmq::recv_flags::none;
      for (int burst = 0; burst < 1000 && sockets[i].recv(message, flags); ++burst) {
        if (!message.more()) shared.received.store(++received, std::memory_order_relaxed);
      }
    }
  }
}

void be_our_subscribers(const std::string& from, std::size_t count, Shared& shared) {
  Context context;
  std::vector<Subscriber> subscribers;
  std::vector<pollfd> descriptors;
  for (std::size_t i = 0; i < count; ++i) {
    subscribers.emplace_back(context, SubscriberOptions{.connect = {from}});
    subscribers.back().subscribe(topic);
  }
  ++shared.ready;
  std::uint64_t received = 0;
  const auto count_it = [&](const Message&) {
    shared.received.store(++received, std::memory_order_relaxed);
  };
  if (count == 1) {
    subscribers.front().run(count_it);
  }
  for (Subscriber& subscriber : subscribers) descriptors.push_back({subscriber.fd(), POLLIN, 0});
  while (true) {
    poll(descriptors.data(), descriptors.size(), -1);
    for (std::size_t i = 0; i < count; ++i) {
      if (descriptors[i].revents != 0) subscribers[i].drain(count_it);
    }
  }
}

}  // namespace

void be_pubsub_middle(Carrier carrier, const Announce& announce) {
  if (is_ours(carrier)) {
    Context context;
    Forwarder hub{
        context,
        {.frontend = {.bind = {anywhere}, .queue = carrier == Carrier::batched ? 20 : 1000},
         .backend = {.bind = {anywhere}, .queue = carrier == Carrier::batched ? 20 : 1000},
         .overflow = Overflow::block}};
    announce({hub.frontend().front().str(), hub.backend().front().str()});
    const auto active = hub.active();
    while (active->step(1s)) {
    }
    ::_exit(1);
  }
  zmq::context_t context;
  zmq::socket_t frontend{context, zmq::socket_type::xsub};
  zmq::socket_t backend{context, zmq::socket_type::xpub};
  backend.set(zmq::sockopt::xpub_nodrop, true);
  frontend.bind(anywhere);
  backend.bind(anywhere);
  announce({frontend.get(zmq::sockopt::last_endpoint), backend.get(zmq::sockopt::last_endpoint)});
  zmq::proxy(frontend, backend);
  ::_exit(1);
}

void be_publisher(Carrier carrier, const std::string& to, std::size_t size,
                  std::size_t subscribers) {
  if (carrier == Carrier::zmq_proxy) be_stock_publisher(to, size, subscribers);
  if (const Client* client = client_of(carrier)) client->publish(to, size);
  Context context;
  Publisher publisher{context, publisher_options(carrier, to)};
  publisher.wait_for_subscribers(topic, subscribers, 20s);
  const std::string payload(size, 'x');
  while (true) (void)publisher.publish(topic, payload);
}

void be_subscribers(Carrier carrier, const std::string& from, std::size_t count, Shared& shared) {
  if (carrier == Carrier::zmq_proxy) be_stock_subscribers(from, count, shared);
  if (is_ours(carrier)) be_our_subscribers(from, count, shared);
  if (const Client* client = client_of(carrier)) client->subscribe(from, count, shared);
  ::_exit(1);
}

std::string missing_client(Carrier carrier) {
  if (client_of(carrier) != nullptr) return {};
  return carrier == Carrier::nats ? "libnats" : "libmosquitto";
}

void be_lone_publisher(bool stock, std::size_t size, const Announce& announce) {
  std::vector<char> payload(std::max(size, sizeof(std::int64_t)), 'x');
  const auto stamp = [&] {
    std::this_thread::sleep_for(500us);
    const std::int64_t now = clock::now().time_since_epoch().count();
    std::memcpy(payload.data(), &now, sizeof now);
    return std::string_view{payload.data(), payload.size()};
  };
  if (stock) {
    zmq::context_t context;
    zmq::socket_t socket{context, zmq::socket_type::pub};
    socket.bind(anywhere);
    announce({socket.get(zmq::sockopt::last_endpoint)});
    while (true) {
      const std::string_view stamped = stamp();
      (void)socket.send(zmq::str_buffer("bench"), zmq::send_flags::sndmore);
      (void)socket.send(zmq::buffer(stamped), zmq::send_flags::none);
    }
  }
  Context context;
  Publisher publisher{context, {.bind = {anywhere}, .batching = Batching{}}};
  announce({publisher.bound().front().str()});
  while (true) (void)publisher.publish(topic, stamp());
}

void be_lone_subscriber(bool stock, const std::string& from, std::size_t messages, Shared& shared) {
  const auto note = [&](std::string_view payload, std::size_t i) {
    std::int64_t sent = 0;
    std::memcpy(&sent, payload.data(), sizeof sent);
    const std::int64_t took = clock::now().time_since_epoch().count() - sent;
    shared.nanoseconds[i] = static_cast<std::uint64_t>(took);
  };
  if (stock) {
    zmq::context_t context;
    zmq::socket_t socket{context, zmq::socket_type::sub};
    socket.set(zmq::sockopt::subscribe, topic);
    socket.connect(from);
    zmq::message_t message;
    for (std::size_t i = 0; i < messages;) {
      (void)socket.recv(message);
      if (!message.more()) note({static_cast<char*>(message.data()), message.size()}, i++);
    }
  } else {
    Context context;
    Subscriber subscriber{context, {.connect = {from}}};
    subscriber.subscribe(topic);
    for (std::size_t i = 0; i < messages; ++i) {
      note(subscriber.receive(forever)->payload(), i);
    }
  }
  shared.samples = messages;
  while (true) ::pause();
}

}  // namespace busbar::program::bench

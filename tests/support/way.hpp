/// A publisher's and a subscriber's way to one another.
#pragma once

#include "support/folder.hpp"

#include <memory>
#include <string>
#include <vector>

#include <busbar/devices/device.hpp>
#include <busbar/patterns/publisher.hpp>
#include <busbar/patterns/subscriber.hpp>

namespace busbar::testing {

/// Direct, or through forwarders.
struct Way {
  Context context;
  Folder folder;
  std::vector<std::unique_ptr<Forwarder>> hubs;
  std::vector<Runner> running;
  Endpoint publish_to{"inproc://none"};
  Endpoint subscribe_at{"inproc://none"};
  bool direct = true;
  bool batched = false;  ///< What publishers do where a test does not say it.

  Endpoint fresh(const std::string& transport, const std::string& name) const {
    if (transport == "tcp") return "tcp://127.0.0.1:*";
    if (transport == "ipc") return "ipc://" + folder.path(name);
    return "inproc://" + name;
  }
  Way(const std::string& transport, int forwarders, Overflow overflow = Overflow::block,
      int queue = 1000)
      : direct(forwarders == 0) {
    if (direct) publish_to = fresh(transport, "direct");
    for (int i = 0; i < forwarders; ++i) {
      const std::string name = "hub" + std::to_string(i);
      DeviceOptions options{.name = name,
                            .frontend = {.queue = queue},
                            .backend = {.bind = {fresh(transport, name + ".out")}, .queue = queue},
                            .overflow = overflow};
      if (i == 0) {
        options.frontend.bind = {fresh(transport, name + ".in")};
      } else {
        options.frontend.connect = {subscribe_at};
      }
      hubs.push_back(std::make_unique<Forwarder>(context, options));
      if (i == 0) publish_to = hubs.back()->frontend().front();
      subscribe_at = hubs.back()->backend().front();
      running.emplace_back(*hubs.back());
    }
  }
  Publisher publisher(PublisherOptions options = {}) {
    (direct ? options.bind : options.connect) = {publish_to};
    if (batched && !options.batching) options.batching.emplace();
    Publisher made{context, std::move(options)};
    if (direct) subscribe_at = made.bound().front();
    return made;
  }
  Subscriber subscriber(SubscriberOptions options = {}) {
    options.connect = {subscribe_at};
    return Subscriber{context, std::move(options)};
  }
};

}  // namespace busbar::testing

// Clients of other systems' servers, each by the system's own library.
#include "program/bench/pubsub_roles.hpp"

#include <unistd.h>

namespace busbar::program::bench {

std::string missing_client(Carrier carrier) {
  switch (carrier) {
    case Carrier::nats:
      return "libnats";
    case Carrier::mosquitto:
      return "libmosquitto";
    default:
      return {};
  }
}

void be_foreign_publisher(Carrier, const std::string&, std::size_t) { ::_exit(1); }
void be_foreign_subscribers(Carrier, const std::string&, std::size_t, Shared&) { ::_exit(1); }

}  // namespace busbar::program::bench

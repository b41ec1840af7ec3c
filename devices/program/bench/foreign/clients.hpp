/// Clients of other systems' servers, each by the system's own library; a build without the library
/// has no client.
#pragma once

#include "program/bench/process.hpp"

#include <cstddef>
#include <string>

namespace busbar::program::bench {

/// Both run until they are killed.
struct Client {
  void (*publish)(const std::string& to, std::size_t size);
  void (*subscribe)(const std::string& from, std::size_t count, Shared& shared);
};

/// Requests and replies; both run until they are killed.
struct Requests {
  void (*ask)(const std::string& to, std::size_t size, std::size_t in_flight, Shared& shared);
  void (*serve)(const std::string& from, std::size_t workers, Shared& shared);
};

extern const Requests nats_requests;
extern const Client nats_client;
extern const Client mosquitto_client;

}  // namespace busbar::program::bench

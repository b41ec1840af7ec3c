/// Another system's server, started for a measurement: on loopback, in a folder of its own.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace busbar::program::bench {

class Server {
 public:
  /// `nats` or `mosquitto`. Waits until it listens. Throws Error where it does not.
  explicit Server(std::string_view system);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// Stops it, by its process id.
  ~Server();

  /// `127.0.0.1:PORT`.
  const std::string& address() const noexcept { return address_; }

  /// Empty, or that its program is not installed.
  static std::string why_not(std::string_view system);

 private:
  std::filesystem::path folder_;
  std::string address_;
  pid_t child_ = -1;
};

}  // namespace busbar::program::bench

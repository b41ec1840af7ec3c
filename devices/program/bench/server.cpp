#include "program/bench/server.hpp"

#include "program/bench/waiting.hpp"

#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace busbar::program::bench {
namespace {

std::filesystem::path program_of(std::string_view system) {
  const std::string name = system == "nats" ? "nats-server" : std::string{system};
  for (const char* folder : {"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"}) {
    const std::filesystem::path path = std::filesystem::path{folder} / name;
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// A port that was free a moment ago: neither server says which one the system chose for it.
std::uint16_t free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  void* const any = &address;
  const bool bound = ::bind(probe, static_cast<sockaddr*>(any), size) == 0 &&
                     ::getsockname(probe, static_cast<sockaddr*>(any), &size) == 0;
  ::close(probe);
  if (!bound) throw Error{ErrorKind::refused, "bench", "no port of loopback is free"};
  return ntohs(address.sin_port);
}

bool listens(std::uint16_t port) {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(port);
  void* const to = &address;
  const bool connected = ::connect(probe, static_cast<sockaddr*>(to), sizeof address) == 0;
  ::close(probe);
  return connected;
}

std::vector<std::string> arguments(std::string_view system, std::uint16_t port,
                                   const std::filesystem::path& folder) {
  const std::string number = std::to_string(port);
  if (system == "nats") return {"-a", "127.0.0.1", "-p", number};
  // Its queues are bounded by default, and what is beyond them is thrown away.
  std::ofstream{folder / "mosquitto.conf"} << "listener " << number << " 127.0.0.1\n"
                                           << "allow_anonymous true\npersistence false\n"
                                           << "max_queued_messages 0\nmax_inflight_messages 0\n";
  return {"-c", (folder / "mosquitto.conf").string()};
}

}  // namespace

std::string Server::why_not(std::string_view system) {
  return program_of(system).empty() ? std::string{system} + " is not installed" : std::string{};
}

Server::Server(std::string_view system) {
  std::string name = (std::filesystem::temp_directory_path() / "busbar-bench-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw Error{ErrorKind::refused, "bench", "no temporary folder can be made"};
  folder_ = name;
  const std::uint16_t port = free_port();
  address_ = "127.0.0.1:" + std::to_string(port);
  const std::string program = program_of(system).string();
  std::vector<std::string> words = arguments(system, port, folder_);
  words.insert(words.begin(), program);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  child_ = ::fork();
  if (child_ == 0) {
    const int nowhere = ::open("/dev/null", O_RDWR);
    for (const int stream : {0, 1, 2}) ::dup2(nowhere, stream);
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
  await("a server's start", [&] { return listens(port); });
}

Server::~Server() {
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace busbar::program::bench

#include "busbar/core/internal/ipc_guard.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include <busbar/core/error.hpp>

namespace busbar::detail {

namespace {

namespace fs = std::filesystem;

/// The address of a path, or of the lock that belongs to it (abstract: a leading NUL). A lock's
/// name is a hash where the path would not fit; two paths with one hash would only refuse each
/// other.
std::pair<sockaddr_un, socklen_t> address(const std::string& name, bool abstract) {
  sockaddr_un result{};
  result.sun_family = AF_UNIX;
  std::string text = name;
  if (abstract) text = '\0' + ("busbar-ipc-" + std::to_string(std::hash<std::string>{}(name)));
  std::copy_n(text.data(), std::min(text.size(), sizeof result.sun_path), result.sun_path);
  return {result, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size())};
}

int new_socket(const std::string& operation) {
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor >= 0) return descriptor;
  throw Error(ErrorKind::refused, operation, std::strerror(errno),
              "raise the limit on open files (ulimit -n)");
}

struct Listener {
  bool there = false;
  pid_t pid = 0;  ///< 0 where it is too busy to be asked.
};

Listener listener_at(const std::string& path, const std::string& operation) {
  const int probe = new_socket(operation);
  const auto [target, size] = address(path, false);
  ucred credentials{};
  socklen_t length = sizeof credentials;
  Listener listener;
  if (connect(probe, reinterpret_cast<const sockaddr*>(&target), size) != 0) {
    listener.there = errno == EAGAIN;  // its backlog is full
  } else {
    listener.there = true;
    if (getsockopt(probe, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0) {
      listener.pid = credentials.pid;
    }
  }
  close(probe);
  return listener;
}

}  // namespace

IpcGuard::IpcGuard(const std::string& path) : path_(path) {
  const std::string operation = "bind ipc://" + path;
  std::error_code ignored;
  const fs::path folder = fs::absolute(path, ignored).parent_path();
  if (!fs::is_directory(folder, ignored)) {
    throw Error(ErrorKind::unreachable, operation, "there is no folder " + folder.string(),
                "create it, or give another path");
  }
  const fs::file_status status = fs::symlink_status(path, ignored);
  if (fs::exists(status) && !fs::is_socket(status)) {
    throw Error(ErrorKind::unreachable, operation, "the path is a regular file or folder; refusing",
                "remove it, or give another path");
  }

  const Listener listener = fs::exists(status) ? listener_at(path, operation) : Listener{};
  lock_ = new_socket(operation);
  const std::string canonical = (fs::weakly_canonical(folder, ignored) / fs::path(path).filename());
  const auto [name, size] = address(canonical, true);
  const bool locked = bind(lock_, reinterpret_cast<const sockaddr*>(&name), size) == 0;
  if (locked && !listener.there) return;
  close(lock_);
  const std::string who =
      listener.pid == 0 ? "by another socket" : "by pid " + std::to_string(listener.pid);
  throw Error(ErrorKind::unreachable, operation, "already served " + who,
              "stop it, or give another path");
}

IpcGuard::IpcGuard(IpcGuard&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

IpcGuard::~IpcGuard() {
  if (lock_ < 0) return;
  unlink(path_.c_str());
  close(lock_);
}

}  // namespace busbar::detail

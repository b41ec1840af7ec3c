/// Keeps an ipc path from being taken over: libzmq unlinks whatever lies there before it binds.
#pragma once

#include <string>

namespace busbar::detail {

/// Holds a path for as long as it lives. The lock is an abstract UNIX socket, unix(7), so it leaves
/// no file behind and goes with the process; who listens is asked by connecting (SO_PEERCRED).
class IpcGuard {
 public:
  /// Throws Error: the path is a file that is no socket, or is served by another socket (`already
  /// served by pid 812`), or its folder does not exist.
  explicit IpcGuard(const std::string& path);
  IpcGuard(IpcGuard&& other) noexcept;
  IpcGuard& operator=(IpcGuard&&) = delete;
  /// Unlinks the path.
  ~IpcGuard();

 private:
  std::string path_;
  int lock_ = -1;
};

}  // namespace busbar::detail

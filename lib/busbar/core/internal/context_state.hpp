/// What the sockets of a context share.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include <busbar/core/context.hpp>
#include <busbar/core/internal/services.hpp>
#include <busbar/core/internal/zap.hpp>

namespace busbar::detail {

class ContextState {
 public:
  explicit ContextState(ContextOptions options);
  ContextState(const ContextState&) = delete;
  ContextState& operator=(const ContextState&) = delete;
  ~ContextState();

  void* handle() const noexcept { return handle_; }
  const ContextOptions& options() const noexcept { return options_; }
  ZapPolicy& access() noexcept { return access_; }
  Services& services() noexcept { return services_; }

  /// Open sockets are listed by what a report calls them: `tasks (PUSH)`.
  std::uint64_t list_socket(std::string label);
  void unlist_socket(std::uint64_t id) noexcept;
  StopReport stop(std::chrono::milliseconds deadline);

 private:
  ContextOptions options_;
  void* handle_;
  ZapPolicy access_;
  Services services_;
  std::optional<ZapHandler> access_thread_;
  std::mutex mutex_;
  std::condition_variable none_open_;
  std::map<std::uint64_t, std::string> open_;
  std::uint64_t next_id_ = 0;
};

}  // namespace busbar::detail

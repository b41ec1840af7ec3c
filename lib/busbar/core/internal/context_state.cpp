#include "busbar/core/internal/context_state.hpp"

#include <algorithm>

#include <zmq.h>

#include <busbar/core/error.hpp>

namespace busbar::detail {

namespace {

void* new_context(const ContextOptions& options) {
  void* handle = zmq_ctx_new();
  if (handle == nullptr) {
    throw Error(ErrorKind::unreachable, "create a context", zmq_strerror(zmq_errno()));
  }
  const int limit = zmq_ctx_get(handle, ZMQ_SOCKET_LIMIT);
  zmq_ctx_set(handle, ZMQ_MAX_SOCKETS, std::min(options.max_sockets, limit));
  if (zmq_ctx_set(handle, ZMQ_IO_THREADS, options.io_threads) != 0) {
    zmq_ctx_term(handle);
    throw Error(ErrorKind::usage, "create a context",
                "io_threads is " + std::to_string(options.io_threads), "give 1 or more");
  }
  return handle;
}

}  // namespace

ContextState::ContextState(ContextOptions options)
    : options_(std::move(options)), handle_(new_context(options_)) {
  try {
    access_thread_.emplace(handle_, access_, options_.log);
  } catch (...) {
    zmq_ctx_term(handle_);
    throw;
  }
}

ContextState::~ContextState() {
  zmq_ctx_shutdown(handle_);
  access_thread_.reset();
  while (zmq_ctx_term(handle_) != 0 && zmq_errno() == EINTR) {
  }
}

std::uint64_t ContextState::list_socket(std::string label) {
  const std::scoped_lock lock(mutex_);
  open_.emplace(++next_id_, std::move(label));
  return next_id_;
}

void ContextState::unlist_socket(std::uint64_t id) noexcept {
  const std::scoped_lock lock(mutex_);
  open_.erase(id);
  if (open_.empty()) none_open_.notify_all();
}

StopReport ContextState::stop(std::chrono::milliseconds deadline) {
  const TimePoint start = std::chrono::steady_clock::now();
  zmq_ctx_shutdown(handle_);
  std::unique_lock lock(mutex_);
  StopReport report;
  report.clean =
      none_open_.wait_until(lock, after(start, deadline), [this] { return open_.empty(); });
  for (const auto& [id, label] : open_) report.remains.push_back(label);
  report.took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - start);
  return report;
}

}  // namespace busbar::detail

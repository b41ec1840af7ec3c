/// What a socket is made of, and how it is looked after.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include <busbar/core/internal/connector.hpp>
#include <busbar/core/internal/context_state.hpp>
#include <busbar/core/internal/ipc_guard.hpp>
#include <busbar/core/internal/monitor.hpp>
#include <busbar/core/internal/peer_table.hpp>
#include <busbar/core/internal/repeat_filter.hpp>
#include <busbar/core/internal/resolver.hpp>
#include <busbar/core/socket.hpp>

namespace busbar::detail {

/// Everything but the way of messages, which Socket adds.
struct SocketState {
  SocketState(std::shared_ptr<ContextState> home, SocketType socket_type,
              SocketOptions socket_options);
  SocketState(const SocketState&) = delete;
  SocketState& operator=(const SocketState&) = delete;
  ~SocketState();

  /// Once, before all else; what it opened the destructor closes, also where it throws.
  void open();
  /// As Socket::see_off.
  void see_off(std::chrono::milliseconds longest);
  /// As Socket::close.
  void close(std::chrono::milliseconds linger);
  void check_owner();
  [[noreturn]] void fail(const std::string& operation, int error) const;
  void log(LogLevel level, const std::string& text) const;
  /// As Socket::maintain.
  TimePoint maintain();

  std::shared_ptr<ContextState> context;
  SocketType type;
  SocketOptions options;
  std::atomic<const void*> owner = nullptr;
  void* handle = nullptr;
  std::uint64_t id = 0;
  std::string zap_domain;
  std::list<IpcGuard> ipc_guards;
  std::vector<Endpoint> bound;
  std::unique_ptr<Monitor> monitor;
  Connector connector;
  Resolver resolver;
  std::vector<Endpoint> services_wanted = {};  ///< Being looked up.
  PeerTable peers;
  std::function<void(const SocketEvent&)> handler;
  RepeatFilter warnings;
  std::uint64_t refused = 0;  ///< Had too many frames.

 private:
  void let_go() noexcept;
  void look_up(const Endpoint& wanted);
  std::vector<Resolver::Result> take_resolved(TimePoint now);
  void carry_out(const std::vector<ConnectorAction>& actions);
  void log_event(const SocketEvent& event, TimePoint now);
  void look_for_denial(SocketEvent& event, TimePoint now);
};

}  // namespace busbar::detail

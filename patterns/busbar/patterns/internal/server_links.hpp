/// A requester's sockets: one for each server, so that each can be spoken to by itself.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <busbar/core/internal/socket_poll.hpp>
#include <busbar/core/socket.hpp>

namespace busbar::detail {

/// DEALER sockets; a server is known by its place among the endpoints. Queues have no bound of
/// their own: the requester has one.
class ServerLinks {
 public:
  /// Called from `maintain`, and by `receive` once all is read that came before: what a server
  /// said last must not come behind the news that it left.
  struct Events {
    std::function<void(std::size_t)> connected;
    std::function<void(std::size_t)> disconnected;
    std::function<void(std::size_t)> unreachable;
  };

  ServerLinks(Context& context, const std::string& name, const std::vector<Endpoint>& servers,
              const Security& security, Events events);
  ServerLinks(const ServerLinks&) = delete;
  ServerLinks& operator=(const ServerLinks&) = delete;

  /// Never blocks; takes turns among the servers.
  bool receive(std::size_t& from, Multipart& into);
  void send(std::size_t to, Multipart& frames);
  TimePoint maintain();
  void add_to(SocketPoll& poll);
  /// Whether there is something to receive: a call that sends may have swallowed the news of it.
  bool readable();
  /// Gives the sockets free for the thread that uses them next.
  void release() noexcept;

  const std::string& handshake_failure() const noexcept { return handshake_failure_; }
  const std::string& unresolved() const noexcept { return unresolved_; }

 private:
  struct Server {
    Socket socket;
    std::vector<SocketEvent::Kind> news = {};
  };
  void hear(std::size_t server, const SocketEvent& event);
  void tell_news(std::size_t server);

  Events events_;
  std::vector<Server> servers_;
  std::vector<std::size_t> at_once_;  ///< inproc, whose connections no monitor tells of.
  std::size_t turn_ = 0;
  std::string handshake_failure_;
  std::string unresolved_;
};

}  // namespace busbar::detail

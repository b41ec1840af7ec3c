/// A requester's sockets, and which servers are there.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <busbar/core/internal/socket_poll.hpp>
#include <busbar/core/internal/trouble.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/patterns/request_wire.hpp>

namespace busbar::detail {

/// For cancellations, once the requester ends: nobody waits for anything else.
inline constexpr std::chrono::milliseconds farewell{100};

struct ServerLinksOptions {
  std::string name = {};
  std::vector<Endpoint> servers = {};
  Security security = {};
  RequestWire wire = RequestWire::busbar;
};

/// A server is known by its place among the endpoints. Queues have no bound of their own: the
/// requester has one.
class ServerLinks {
 public:
  /// Called from `maintain`, and by `receive` once all is read that came before: what a server
  /// said last must not come behind the news that it left.
  struct Events {
    std::function<void(std::size_t)> connected;
    std::function<void(std::size_t)> disconnected;
    std::function<void(std::size_t)> unreachable;
  };

  /// The sockets are free for the thread that uses them first.
  static std::unique_ptr<ServerLinks> create(Context& context, const ServerLinksOptions& options,
                                             Events events);
  ServerLinks() = default;
  ServerLinks(const ServerLinks&) = delete;
  ServerLinks& operator=(const ServerLinks&) = delete;
  virtual ~ServerLinks() = default;

  /// Never blocks. What came from a server: correlation, empty, body.
  virtual bool receive(std::size_t& from, Multipart& into) = 0;
  virtual void send(std::size_t to, Multipart& frames) = 0;
  virtual TimePoint maintain() = 0;
  /// For a wait after `receive` had nothing and nothing was sent since.
  virtual void add_to(SocketPoll& poll) = 0;
  /// Whether there is something to receive: a call that sends may have swallowed the news of it.
  virtual bool readable() = 0;
  /// Gives the sockets free for the thread that uses them next.
  virtual void release() noexcept = 0;

  const Trouble& trouble() const noexcept { return trouble_; }

 protected:
  Trouble trouble_;
};

}  // namespace busbar::detail

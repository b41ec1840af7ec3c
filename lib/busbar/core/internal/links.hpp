/// The sockets of one side of a protocol in which either side may bind or connect.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <busbar/core/internal/socket_poll.hpp>
#include <busbar/core/internal/trouble.hpp>
#include <busbar/core/socket.hpp>

namespace busbar::detail {

struct LinksOptions {
  std::string name = {};
  std::vector<Endpoint> bind = {};
  std::vector<Endpoint> connect = {};
  Security security = {};
  std::chrono::milliseconds linger{1000};
};

/// A ROUTER where it binds, and a DEALER for each endpoint that it connects to, so that any end can
/// be spoken to by itself. Queues have no bound of their own: the protocol must have one.
class Links {
 public:
  /// Names one end: the endpoint that we connected to, or a peer that connected to us.
  using Address = std::string;
  /// Called from `maintain`, and by `receive` once all is read that came before: what an end said
  /// last must not come behind the news that it left.
  struct Events {
    std::function<void(const Address&)> connected = {};
    std::function<void(const Address&)> disconnected = {};
    std::function<void()> somebody_left = {};  ///< One of those that connected to us.
  };

  /// Throws Error; see Socket.
  Links(Context& context, const LinksOptions& options, Events events);
  Links(const Links&) = delete;
  Links& operator=(const Links&) = delete;

  /// Never blocks. Takes turns among the sockets.
  bool receive(Address& from, Multipart& into);
  /// Never blocks. False: there is no way to it, and the frames are gone.
  bool send(const Address& to, Multipart& frames);
  /// Reads the monitors; says when to call again at the latest.
  TimePoint maintain();
  void add_to(SocketPoll& poll);
  /// Gives the sockets free for the thread that uses them next.
  void release() noexcept;
  /// As Socket::see_off, for all of them. Nothing else may be called afterwards.
  void see_off(std::chrono::milliseconds longest);
  const std::vector<Endpoint>& bound() const noexcept { return bound_; }
  const Trouble& trouble() const noexcept { return trouble_; }
  /// As Socket::refused, of all of them.
  std::uint64_t refused() const noexcept;

 private:
  /// One that we connected, and its news that are still to be told.
  struct Dealer {
    Address address;
    Socket socket;
    std::vector<SocketEvent::Kind> news = {};
  };
  void watch(std::size_t dealer);
  void tell_news(Dealer& dealer);

  Events events_;
  std::optional<Socket> router_;
  std::vector<Dealer> dealers_;
  std::vector<Endpoint> bound_;
  std::vector<Address> at_once_;  ///< inproc, whose connections no monitor tells of.
  std::size_t turn_ = 0;
  Trouble trouble_;
};

}  // namespace busbar::detail

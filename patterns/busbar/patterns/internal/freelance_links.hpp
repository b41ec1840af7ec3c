/// A requester's socket in the Freelance protocol, ZeroMQ RFC 10.
#pragma once

#include <vector>

#include <busbar/patterns/internal/server_links.hpp>

namespace busbar::detail {

/// One ROUTER for all servers. A server is there once it has answered a PING, and gone when its
/// connection is, or after three PINGs without a word. (The timings are those of the RFC's
/// reference: 2 s, 6 s.)
class FreelanceLinks final : public ServerLinks {
 public:
  FreelanceLinks(Context& context, const ServerLinksOptions& options, Events events);

  bool receive(std::size_t& from, Multipart& into) override;
  void send(std::size_t to, Multipart& frames) override;
  TimePoint maintain() override;
  void add_to(SocketPoll& poll) override;
  bool readable() override;
  void release() noexcept override { socket_.release(); }

 private:
  struct Server {
    std::string identity;
    bool there = false;
    TimePoint heard{};
    TimePoint ping_at{};
    std::vector<SocketEvent::Kind> news = {};
  };
  void hear(const SocketEvent& event);
  void tell_news();
  void ping(Server& server);
  void gone(std::size_t server);

  Context context_;
  Events events_;
  std::vector<Server> servers_;
  Socket socket_;
};

}  // namespace busbar::detail

/// A requester's socket in the Freelance protocol, ZeroMQ RFC 10.
#pragma once

#include <vector>

#include <busbar/patterns/internal/freelance_liveness.hpp>
#include <busbar/patterns/internal/server_links.hpp>

namespace busbar::detail {

/// One ROUTER for all servers; see FreelanceLiveness for which are there.
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
    std::vector<SocketEvent::Kind> news = {};
  };
  void hear(const SocketEvent& event);
  void tell_news();
  bool ping(const Server& server);
  void gone(std::size_t server);

  Context context_;
  Events events_;
  std::vector<Server> servers_;
  FreelanceLiveness liveness_;
  Socket socket_;
};

}  // namespace busbar::detail

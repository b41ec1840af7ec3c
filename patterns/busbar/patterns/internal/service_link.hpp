/// A service client's connection: to one broker at a time.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <busbar/core/internal/socket_poll.hpp>
#include <busbar/core/internal/trouble.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/patterns/internal/call_protocol.hpp>
#include <busbar/patterns/service_client.hpp>

namespace busbar::detail {

/// Not movable: its socket's news come to it.
class ServiceLink {
 public:
  /// Connects. Throws Error; see Socket.
  ServiceLink(Context& context, const ServiceClientOptions& options);
  ServiceLink(const ServiceLink&) = delete;
  ServiceLink& operator=(const ServiceLink&) = delete;

  /// To the next broker: what comes by the old connection comes to nobody.
  void connect();
  /// Closes; the next call connects.
  void cut() noexcept;
  /// For the first use in a call: reads what happened since the last one.
  void wake();
  BrokerState state() const noexcept { return state_; }
  std::size_t brokers() const noexcept { return options_.connect.size(); }

  void send(Multipart& frames);
  /// Until a message comes, or news, or the time.
  std::optional<Multipart> receive(TimePoint until);
  /// Of the connection, in the order in which they came.
  std::vector<BrokerState> take_news() { return std::exchange(news_, {}); }
  /// To the thread that uses it next.
  void release() noexcept;

  const Trouble& trouble() const noexcept { return trouble_; }

 private:
  void hear(const SocketEvent& event);
  void set(BrokerState state);

  Context context_;
  const ServiceClientOptions options_;
  std::size_t next_broker_ = 0;
  std::optional<Socket> socket_;
  SocketPoll poll_;
  BrokerState state_ = BrokerState::connecting;
  std::vector<BrokerState> news_;
  Trouble trouble_;
};

}  // namespace busbar::detail

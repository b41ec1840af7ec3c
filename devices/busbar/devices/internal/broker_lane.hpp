/// The way of requests through services, and through a queue with the strategy `ready`.
#pragma once

#include <busbar/core/socket.hpp>
#include <busbar/devices/internal/broker.hpp>
#include <busbar/devices/internal/lane.hpp>
#include <busbar/devices/internal/protocol_lane.hpp>

namespace busbar::detail {

/// The sockets of a Broker: one ROUTER for clients and workers (services), or one for each.
class BrokerLane final : public ProtocolLane, private BrokerOutlet {
 public:
  /// `workers`: nullptr for services.
  BrokerLane(Hop& hop, const DeviceOptions& options, Socket& clients, Socket* workers);
  BrokerLane(const BrokerLane&) = delete;
  BrokerLane& operator=(const BrokerLane&) = delete;

  std::size_t burst(TimePoint now, std::size_t most, bool takes) override;
  TimePoint next_deadline() const noexcept override { return broker_.next_deadline(); }
  bool reads() const override { return workers_ == nullptr || broker_.has_free_worker(); }
  bool holds() const noexcept override { return broker_.holds_for_workers(); }
  std::uint64_t replies_due() const noexcept override { return broker_.given(); }
  std::vector<std::string> remains() const override;
  std::uint64_t leave() override;

 private:
  void serve_all(TimePoint now, std::size_t most);
  void serve_workers(TimePoint now, std::size_t most);
  void serve_clients(TimePoint now, std::size_t most);
  bool receive(void* socket, SideLedger& book);
  Result to_client(Multipart& message) override;
  Result to_worker(Multipart& message) override;
  static Result send(Socket& socket, Multipart& message);

  Hop& hop_;
  Socket& clients_;
  Socket* workers_;
  Broker broker_;
  Multipart frames_;
};

}  // namespace busbar::detail

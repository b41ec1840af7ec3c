/// A worker's registrations with its brokers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <busbar/core/internal/trouble.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/patterns/internal/engine.hpp>
#include <busbar/patterns/internal/worker_protocol.hpp>
#include <busbar/patterns/service_worker.hpp>

namespace busbar::detail {

/// The registrations and their sockets.
class ServiceEngine final : public Engine {
 public:
  using Take = std::function<void(std::size_t place, WorkerProtocol::Request request)>;
  /// `take` is called in `turn`, for each request.
  ServiceEngine(Context& context, const ServiceWorkerOptions& options, Take take);

  bool turn(TimePoint now) override;
  WorkerProtocol& at(std::size_t place) { return places_[place].protocol; }
  std::size_t size() const noexcept { return places_.size(); }
  /// Says goodbye where nothing is under way.
  void close();
  void send_all();
  /// Nothing is left to be answered, or to be read by a broker that is there.
  bool may_go() const;

  TimePoint add_to(SocketPoll& poll) override;
  void leave() override;
  void see_off(std::chrono::milliseconds longest) override;
  /// What only the engine counts and knows.
  void tell(ServiceWorkerLedger& ledger) const;

 private:
  bool is_blocked() const;
  struct Place {
    Endpoint broker;
    WorkerProtocol protocol;
    std::optional<Socket> socket = {};
  };
  void connect(Place& place);
  static bool may_be_heard(const Place& place);
  void send_all(Place& place);

  Context context_;
  ServiceWorkerOptions options_;
  Take take_;
  std::vector<Place> places_;
  TimePoint maintain_at_ = TimePoint::min();
  std::uint64_t registrations_ = 0;
  Trouble trouble_;
  Multipart frames_;
};

}  // namespace busbar::detail

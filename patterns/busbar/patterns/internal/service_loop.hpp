/// The threads behind a ServiceWorker: one for the sockets, one for each request at a time.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <busbar/patterns/internal/engine_loop.hpp>
#include <busbar/patterns/internal/service_engine.hpp>
#include <busbar/patterns/service_worker.hpp>

namespace busbar::detail {

class ServiceLoop final : public EngineLoop<ServiceEngine> {
 public:
  ServiceLoop(Context& context, const ServiceWorkerOptions& options,
              std::function<Multipart(ServiceRequest&)> handler);

  StopReport report() const override;
  ServiceWorkerLedger ledger() const;
  std::size_t places() const noexcept { return jobs_.size(); }
  /// Works on the next request of a place, waiting for it. False: the loop has ended.
  bool work(std::size_t place, std::chrono::milliseconds wait);

 private:
  struct Answer {
    std::uint64_t request;
    std::optional<Multipart> body;  ///< None: the handler failed.
    bool final;
  };
  bool turn(TimePoint now) override;
  bool needs_turn() const override { return fresh_; }
  bool may_leave() const override { return ledger_.running == 0 && engine_->may_go(); }
  void ended() override;
  bool is_leaving() const;
  void put(std::size_t place, Answer answer);
  // With the mutex held:
  void take_answers(TimePoint now);
  void take(WorkerProtocol& protocol, Answer& answer, TimePoint now);
  void drop_late(std::size_t place);
  std::optional<Multipart> answer_to(ServiceRequest& request);

  std::function<Multipart(ServiceRequest&)> handler_;
  /// Parts of answers, for each registration, that wait for the broker to read.
  static constexpr std::size_t parts_waiting_max = 1000;
  // Under the mutex, by place:
  std::vector<std::deque<WorkerProtocol::Request>> jobs_;  ///< Not begun.
  std::vector<std::deque<Answer>> answers_;
  bool fresh_ = false;      ///< An answer came since the last turn.
  bool too_large_ = false;  ///< One was, and is to be logged.
  ServiceWorkerLedger ledger_;
};

/// One thread that works.
class ServiceHandler final : public Active {
 public:
  ServiceHandler(std::shared_ptr<ServiceLoop> loop, std::size_t place)
      : loop_(std::move(loop)), place_(place) {}
  bool step(std::chrono::milliseconds wait) override { return loop_->work(place_, wait); }
  void request_stop(std::chrono::milliseconds) noexcept override {}  // it ends with the loop
  StopReport report() const override { return {}; }
  std::string name() const override { return loop_->name() + ".handler"; }

 private:
  std::shared_ptr<ServiceLoop> loop_;
  std::size_t place_;
};

}  // namespace busbar::detail

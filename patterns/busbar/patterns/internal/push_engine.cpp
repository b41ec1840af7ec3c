#include "busbar/patterns/internal/push_engine.hpp"

#include <algorithm>
#include <deque>

#include <busbar/core/internal/random_id.hpp>

namespace busbar::detail {

namespace {

using protocol::DispatcherCounts;
using protocol::Job;
using protocol::Lot;

constexpr int burst = 256;

class CreditEngine final : public PushEngine {
 public:
  CreditEngine(Context& context, const PusherOptions& options)
      : packed_below_(protocol::Dispatcher::packed_below(options.batch_bytes)),
        dispatcher_({.id = random_id(),
                     .acknowledge = options.acknowledge,
                     .attempts_max = options.attempts_max,
                     .retry_after = options.retry_after,
                     .heartbeat = options.heartbeat,
                     .batch_bytes = options.batch_bytes}),
        links_(context,
               {.name = options.name,
                .bind = options.bind,
                .connect = options.connect,
                .security = options.security},
               {.connected = [this](const auto& address) { dispatcher_.connected(address); },
                .disconnected =
                    [this](const auto& address) { dispatcher_.disconnected(address, now_); },
                .somebody_left = [this] { dispatcher_.probe(); }}) {
    links_.release();
  }

  std::size_t packed_below() const override { return packed_below_; }
  void push(Lot lot) override { dispatcher_.push(std::move(lot)); }
  bool turn(TimePoint now) override {
    now_ = now;
    maintain_at_ = links_.maintain();
    int received = 0;
    while (received < burst && links_.receive(from_, frames_)) {
      ++received;
      dispatcher_.on_message(from_, frames_, now);
    }
    if (received < burst && dispatcher_.next_deadline() <= now) dispatcher_.on_time(now);
    while (dispatcher_.next(out_)) {
      if (!links_.send(out_.to, out_.frames)) dispatcher_.unreachable(out_.to, now);
    }
    return received > 0;
  }
  TimePoint add_to(SocketPoll& poll) override {
    links_.add_to(poll);
    return std::min(maintain_at_, dispatcher_.next_deadline());
  }
  std::vector<Job> take_given_up() override { return dispatcher_.take_given_up(); }
  DispatcherCounts counts() const override { return dispatcher_.counts(); }
  std::size_t bytes() const override { return dispatcher_.bytes(); }
  void leave() override {
    dispatcher_.leave();
    while (dispatcher_.next(out_)) links_.send(out_.to, out_.frames);
  }
  void see_off(std::chrono::milliseconds longest) override { links_.see_off(longest); }
  const std::vector<Endpoint>& bound() const override { return links_.bound(); }
  Trouble trouble() const override { return links_.trouble(); }

 private:
  std::size_t packed_below_;
  protocol::Dispatcher dispatcher_;
  Links links_;
  TimePoint now_{};  ///< Of the turn.
  TimePoint maintain_at_ = TimePoint::min();
  Links::Address from_;
  Multipart frames_;
  protocol::Outgoing out_;
};

class PlainEngine final : public PushEngine {
 public:
  PlainEngine(Context& context, const PusherOptions& options)
      : socket_(context, SocketType::push,
                {.name = options.name,
                 .bind = options.bind,
                 .connect = options.connect,
                 .security = options.security}) {
    socket_.release();
  }

  std::size_t packed_below() const override { return 0; }
  void push(Lot lot) override {
    ++counts_.pushed;
    bytes_ += lot.job->payload.size();
    queue_.push_back(std::move(lot.job->payload));
  }
  bool turn(TimePoint) override {
    maintain_at_ = socket_.maintain();
    while (!queue_.empty()) {
      const std::size_t bytes = queue_.front().size();
      if (frame_.empty()) frame_.push_back(std::move(queue_.front()));
      if (socket_.send(frame_) != SendResult::sent) {
        queue_.front() = frame_.pop_front();
        break;
      }
      bytes_ -= bytes;
      ++counts_.done;
      queue_.pop_front();
    }
    return false;
  }
  TimePoint add_to(SocketPoll& poll) override {
    if (!queue_.empty()) poll.add(socket_.raw().handle(), ZMQ_POLLOUT);
    poll.add(socket_.monitor().handle(), ZMQ_POLLIN);
    return maintain_at_;
  }
  std::vector<Job> take_given_up() override { return {}; }
  DispatcherCounts counts() const override {
    DispatcherCounts counts = counts_;
    counts.waiting = queue_.size();
    return counts;
  }
  std::size_t bytes() const override { return bytes_; }
  void leave() override {}
  void see_off(std::chrono::milliseconds longest) override { socket_.see_off(longest); }
  const std::vector<Endpoint>& bound() const override { return socket_.bound(); }

 private:
  Socket socket_;
  std::deque<Frame> queue_;
  Multipart frame_;
  std::size_t bytes_ = 0;
  DispatcherCounts counts_;
  TimePoint maintain_at_ = TimePoint::min();
};

}  // namespace

std::unique_ptr<PushEngine> PushEngine::create(Context& context, const PusherOptions& options) {
  const std::string who = "make pusher '" + options.name + "'";
  require_endpoint(who, options);
  if (options.retry_after.count() < 0) {
    throw Error(ErrorKind::usage, who, "retry_after is negative", "0 ms is the least");
  }
  if (options.batch_bytes > limits::message_bytes) {
    throw Error(ErrorKind::usage, who,
                "a batch of " + std::to_string(options.batch_bytes) + " bytes is no message",
                "at most " + std::to_string(limits::message_bytes) + " are allowed");
  }
  if (options.wire == Wire::plain) return std::make_unique<PlainEngine>(context, options);
  return std::make_unique<CreditEngine>(context, options);
}

}  // namespace busbar::detail

#include "busbar/patterns/internal/pull_engine.hpp"

#include <algorithm>
#include <deque>

#include <busbar/core/internal/random_id.hpp>

namespace busbar::detail {

namespace {

using protocol::Intake;
using protocol::IntakeCounts;
using protocol::Verdict;

constexpr int burst = 256;

class CreditEngine final : public PullEngine {
 public:
  CreditEngine(Context& context, const PullerOptions& options, std::mutex& mutex)
      : mutex_(mutex),
        intake_({.name = options.name,
                 .credit = options.credit,
                 .heartbeat = options.heartbeat,
                 .draw = random_id}),
        links_(context,
               {.name = options.name,
                .bind = options.bind,
                .connect = options.connect,
                .security = options.security},
               {.connected = [this](const auto& from) { locked([&] { intake_.connected(from); }); },
                .disconnected =
                    [this](const auto& from) { locked([&] { intake_.disconnected(from); }); },
                .somebody_left = [] {}}) {
    links_.release();
  }

  bool turn(TimePoint now) override {
    maintain_at_ = links_.maintain();
    int received = 0;
    while (received < burst && links_.receive(from_, frames_)) {
      ++received;
      locked([&] { intake_.on_message(from_, frames_, now); });
    }
    locked([&] {
      if (received < burst && intake_.next_deadline() <= now) intake_.on_time(now);
      deadline_ = intake_.next_deadline();
      trouble_ = links_.trouble();
      refused_ = links_.refused();
    });
    send_all();
    return received > 0;
  }
  TimePoint add_to(SocketPoll& poll) override {
    links_.add_to(poll);
    return std::min(maintain_at_, deadline_);
  }
  void leave() override {
    locked([&] { intake_.leave(); });
    send_all();
  }
  void see_off(std::chrono::milliseconds longest) override { links_.see_off(longest); }
  const std::vector<Endpoint>& bound() const override { return links_.bound(); }

  bool anything_to_take() const override { return intake_.anything_to_take(); }
  bool needs_turn() const override { return intake_.anything_to_send(); }
  std::optional<Intake::Item> take() override { return intake_.take(); }
  void settle(std::uint64_t ticket, Verdict verdict, std::string_view reason) override {
    intake_.settle(ticket, verdict, reason);
  }
  void close() override { intake_.close(); }
  IntakeCounts counts() const override {
    IntakeCounts counts = intake_.counts();
    counts.malformed += refused_;
    return counts;
  }
  Trouble trouble() const override { return trouble_; }

 private:
  template <class Call>
  void locked(Call call) {
    const std::scoped_lock lock(mutex_);
    call();
  }
  void send_all() {
    while (true) {
      bool something = false;
      locked([&] { something = intake_.next(out_); });
      if (!something) return;
      if (links_.send(out_.to, out_.frames)) continue;
      locked([&] { intake_.unreachable(out_.to); });
    }
  }

  std::mutex& mutex_;
  Intake intake_;
  Links links_;
  Trouble trouble_;  ///< Copies, which the mutex guards.
  std::uint64_t refused_ = 0;
  TimePoint maintain_at_ = TimePoint::min();
  TimePoint deadline_ = TimePoint::min();
  Links::Address from_;
  Multipart frames_;
  protocol::Outgoing out_;
};

class PlainEngine final : public PullEngine {
 public:
  PlainEngine(Context& context, const PullerOptions& options, std::mutex& mutex)
      : mutex_(mutex),
        credit_(std::max(options.credit, 1u)),
        socket_(context, SocketType::pull,
                {.name = options.name,
                 .bind = options.bind,
                 .connect = options.connect,
                 .security = options.security}) {
    socket_.release();
  }

  bool turn(TimePoint) override {
    maintain_at_ = socket_.maintain();
    const std::scoped_lock lock(mutex_);
    bool received = false;
    while (has_room() && socket_.receive(frames_)) {
      received = true;
      ++counts_.received;
      const auto frames = std::make_shared<const Multipart>(std::move(frames_));
      waiting_.push_back({.frames = frames, .payload = frames->text(0)});
    }
    counts_.malformed = socket_.refused();
    return received;
  }
  TimePoint add_to(SocketPoll& poll) override {
    const std::scoped_lock lock(mutex_);
    full_ = !has_room();
    if (!full_) poll.add(socket_.raw().handle(), ZMQ_POLLIN);
    poll.add(socket_.monitor().handle(), ZMQ_POLLIN);
    return maintain_at_;
  }
  void leave() override {}
  const std::vector<Endpoint>& bound() const override { return socket_.bound(); }

  bool anything_to_take() const override { return !waiting_.empty(); }
  bool needs_turn() const override { return full_ && has_room(); }
  std::optional<Intake::Item> take() override {
    if (waiting_.empty()) return std::nullopt;
    Intake::Item item = std::move(waiting_.front());
    waiting_.pop_front();
    ++counts_.taken;
    ++counts_.done;
    return item;
  }
  void settle(std::uint64_t, Verdict, std::string_view) override {}
  void close() override { closed_ = true; }
  IntakeCounts counts() const override {
    IntakeCounts counts = counts_;
    counts.waiting = waiting_.size();
    return counts;
  }

 private:
  bool has_room() const { return !closed_ && waiting_.size() < credit_; }

  std::mutex& mutex_;
  std::size_t credit_;
  Socket socket_;
  Multipart frames_;
  std::deque<Intake::Item> waiting_;
  IntakeCounts counts_;
  TimePoint maintain_at_ = TimePoint::min();
  bool full_ = false;  ///< When last asked what to wait for.
  bool closed_ = false;
};

}  // namespace

std::unique_ptr<PullEngine> PullEngine::create(Context& context, const PullerOptions& options,
                                               std::mutex& mutex) {
  const std::string who = "make puller '" + options.name + "'";
  require_endpoint(who, options);
  if (options.credit == 0) {
    throw Error(ErrorKind::usage, who, "credit is 0", "give the messages to hold at a time");
  }
  if (options.wire == Wire::plain) return std::make_unique<PlainEngine>(context, options, mutex);
  return std::make_unique<CreditEngine>(context, options, mutex);
}

}  // namespace busbar::detail

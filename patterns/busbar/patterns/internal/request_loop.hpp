/// What a Requester's callers share, and the thread that looks after what they do not.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <busbar/core/internal/wake.hpp>
#include <busbar/core/runner.hpp>
#include <busbar/patterns/internal/readable.hpp>
#include <busbar/patterns/internal/server_links.hpp>
#include <busbar/patterns/requester.hpp>
#include <busbar/protocol/paged_table.hpp>
#include <busbar/protocol/requester_protocol.hpp>

namespace busbar::detail {

/// Nobody owns the sockets: whoever holds the mutex uses them. One thread at a time *leads*: it
/// receives, and waits for more without the mutex. That is a caller who waits for a reply, so that
/// none has to cross threads; and the loop's own thread where there are callbacks to be called, or
/// nobody came for 5 ms. Whoever sends while another one leads wakes it up where it must see that.
class RequestLoop final : public Active {
 public:
  RequestLoop(Context& context, RequesterOptions options);

  bool step(std::chrono::milliseconds wait) override;
  void request_stop(std::chrono::milliseconds deadline) noexcept override;
  StopReport report() const override;
  std::string name() const override { return options_.name; }

  // Any thread; see Requester and PendingReply.
  std::uint64_t request(std::string_view method, std::string_view payload,
                        const RequestOptions& options, Requester::Callback callback = {});
  std::vector<std::pair<std::size_t, std::uint64_t>> survey(
      std::string_view method, std::string_view payload,
      std::optional<std::chrono::milliseconds> deadline);
  const Endpoint& server(std::size_t i) const noexcept { return options_.connect[i]; }
  bool wait(std::uint64_t number, std::chrono::milliseconds timeout);
  /// Once it is finished.
  Reply take(std::uint64_t number);
  void cancel(std::uint64_t number);
  /// Nobody will ask for it again.
  void forget(std::uint64_t number) noexcept;
  /// Whether this is the thread in which a callback is being called, and its way to stop.
  bool is_calling() const;
  StopReport stop_within(std::chrono::milliseconds deadline);
  int fd();
  std::size_t drain(std::size_t most);
  /// Nobody will drain any more.
  void let_go() noexcept;
  void wait_for_servers(std::size_t count, std::chrono::milliseconds timeout);
  RequesterLedger ledger() const;

 private:
  using Lock = std::unique_lock<std::mutex>;
  using Finished = protocol::RequesterProtocol::Finished;
  struct Slot {
    Requester::Callback callback = {};
    std::optional<Reply> reply = {};
  };
  struct Call {
    Requester::Callback callback;
    Reply reply;
  };

  TimePoint look_up();
  std::uint64_t refuse(Finished fault, Requester::Callback callback);
  std::chrono::milliseconds deadline_of(
      const std::optional<std::chrono::milliseconds>& wanted) const noexcept {
    return std::min(wanted.value_or(options_.deadline), protocol::deadline_max);
  }
  std::optional<Finished> fault_of(std::string_view method, std::string_view payload) const;
  TimePoint now() const noexcept { return context_.clock().now(); }
  bool turn(TimePoint now);
  bool carry(TimePoint now);
  void settle(Finished&& finished);
  void lead(Lock& lock, TimePoint until);
  void sleep(Lock& lock, TimePoint until);
  void after_call();
  void follow(Lock& lock, TimePoint until);
  void run_callbacks(Lock& lock);
  void call_first(Lock& lock);
  /// Callbacks, for the loop's own thread to call.
  bool calls_due() const noexcept { return !readable_.is_open() && !calls_.empty(); }
  void rest(Lock& lock, std::chrono::milliseconds wait);
  bool leave(Lock& lock);
  void end();

  Context context_;
  RequesterOptions options_;
  SocketPoll poll_;  ///< The leader's.
  Wake wake_;        ///< Ends the leader's sleep.

  mutable std::mutex mutex_;         ///< Guards all below.
  std::condition_variable changed_;  ///< For those who wait while another one leads.
  std::condition_variable work_;     ///< For the loop's own thread.
  protocol::RequesterProtocol protocol_;
  std::unique_ptr<ServerLinks> links_;  ///< Empty: ended.
  protocol::PagedTable<Slot> slots_;
  std::deque<Call> calls_;  ///< To be called by the loop's own thread, or by `drain`.
  Readable readable_;       ///< Once it is open, by `drain`.
  Multipart frames_;
  protocol::RequesterProtocol::Send send_;
  Finished finished_;
  std::thread::id calling_;    ///< In a callback.
  std::uint64_t refused_ = 0;  ///< Without asking anyone.
  std::size_t callbacks_ = 0;  ///< In slots_.
  std::uint64_t turns_ = 0;
  TimePoint maintain_at_ = TimePoint::min();
  TimePoint maintained_at_{};
  TimePoint turned_at_ = TimePoint::min();
  TimePoint sleeps_until_{};
  std::uint32_t gathered_ = 0;  ///< Requests since `carry`, with RequesterOptions::batch_messages.
  int followers_ = 0;
  bool news_ = false;  ///< A server came or went in this turn.
  bool leading_ = false;
  bool sleeping_ = false;  ///< The leader.
  bool resting_ = false;   ///< The loop's own thread, for longer than a few ms.
  bool serving_ = false;   ///< The loop's own thread leads.
  std::optional<TimePoint> leave_at_;
  std::uint64_t abandoned_ = 0;
};

}  // namespace busbar::detail

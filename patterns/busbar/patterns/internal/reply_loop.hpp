/// What the threads of a Replier share.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <busbar/core/internal/socket_poll.hpp>
#include <busbar/core/internal/trouble.hpp>
#include <busbar/core/internal/wake.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/patterns/internal/watch.hpp>
#include <busbar/patterns/replier.hpp>
#include <busbar/protocol/replier_protocol.hpp>

namespace busbar::detail {

/// Nobody owns the socket: whoever holds the mutex uses it. One thread at a time leads: it
/// receives, and waits for more without the mutex. A thread with something to do hands the lead
/// over and does it, so that with one thread none is crossed between request and reply.
class ReplyLoop : public std::enable_shared_from_this<ReplyLoop> {
 public:
  using Job = protocol::ReplierProtocol::Job;

  ReplyLoop(Context& context, ReplierOptions options);
  ReplyLoop(const ReplyLoop&) = delete;
  ReplyLoop& operator=(const ReplyLoop&) = delete;
  ~ReplyLoop();

  // Any thread; see Replier and Request.
  void set_handler(std::string method, Handler handler);
  void set_otherwise(Handler handler);
  void serve();
  int fd();
  std::size_t drain(std::size_t most);
  StopReport stop(std::chrono::milliseconds deadline);
  ReplierLedger ledger() const;
  const std::vector<Endpoint>& bound() const noexcept { return bound_; }
  void reply(Job& job, std::string_view payload);
  void fail(Job& job, protocol::FailureStatus status, std::uint8_t kind, std::string_view reason);
  bool cancelled(const Job& job);
  TimePoint now() const noexcept { return context_.clock().now(); }

 private:
  using Lock = std::unique_lock<std::mutex>;

  /// What a handler is called for, until it is answered.
  struct InHand {
    std::uint64_t ticket = 0;
    bool stopping = false;  ///< That handler waits in `stop`.
  };
  /// In a thread that calls a handler.
  struct Here {
    const ReplyLoop* loop = nullptr;
    std::uint64_t ticket = 0;
  };
  static thread_local Here here;

  void check_not_serving(const char* operation, const char* remedy) const;
  void run();
  bool begin(Lock& lock, Job& job);
  void end_serving(Lock& lock);
  void lead(Lock& lock);
  int look();
  int receive(TimePoint now);
  bool freelance() const noexcept { return options_.wire == RequestWire::freelance; }
  /// False: it is none.
  bool answer_ping(Multipart& message);
  void sleep(Lock& lock);
  void handle(Lock& lock, Job& job);
  void answered(Job& job, bool sends);
  void watch_gathered();
  void flush_late();
  /// Without those whose handlers wait in `stop`.
  std::uint64_t running() const noexcept;
  void close(Lock& lock, TimePoint until);
  void dispatch(Request& request);
  void send(Multipart& message);
  bool send_rest();
  void after_call();

  Context context_;
  ReplierOptions options_;
  std::vector<Endpoint> bound_;
  std::map<std::string, Handler, std::less<>> handlers_;
  Handler otherwise_;
  SocketPoll poll_;  ///< The leader's.
  Wake wake_;        ///< Ends the leader's sleep.

  mutable std::mutex mutex_;           ///< Guards all below.
  std::condition_variable changed_;    ///< Something to do, or to lead.
  std::condition_variable ended_;      ///< For `stop`.
  std::condition_variable flush_due_;  ///< For flusher_.
  protocol::ReplierProtocol protocol_;
  std::optional<Socket> socket_;  ///< Empty: closed.
  Multipart frames_;
  Multipart out_;
  std::uint64_t undeliverable_ = 0;
  Trouble trouble_;
  TimePoint maintain_at_ = TimePoint::min();
  TimePoint maintained_at_{};
  std::optional<Watch> watch_;  ///< Where `fd` was asked for.
  unsigned serving_ = 0;        ///< Threads; one in `drain` is one as well.
  unsigned idle_ = 0;           ///< In changed_.
  std::vector<InHand> in_hand_;
  unsigned stopping_ = 0;  ///< Handlers' threads in `stop`.
  TimePoint close_until_{};
  bool leading_ = false;
  bool sleeping_ = false;  ///< The leader.
  bool stopped_ = false;
  bool closing_ = false;
  bool flusher_rests_ = false;
  std::thread flusher_;  ///< Once answers gather.
};

}  // namespace busbar::detail

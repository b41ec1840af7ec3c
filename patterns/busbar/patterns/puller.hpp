/// Takes work, as much at a time as it says, and answers for it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <busbar/core/runner.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/patterns/incoming.hpp>
#include <busbar/patterns/message.hpp>
#include <busbar/patterns/wire.hpp>

namespace busbar {

namespace detail {
class PullLoop;
}

/// One message to work on. Move-only. Destroyed without `done` it has failed: see `failed`. May be
/// settled in any thread, also after its Puller was destroyed, which has no effect then.
class Work {
 public:
  Work(Message message, std::uint32_t attempt, std::uint64_t ticket,
       std::shared_ptr<detail::PullLoop> loop);
  Work(Work&& other) noexcept;
  Work& operator=(Work&& other) noexcept;
  ~Work();

  const Message& message() const noexcept { return message_; }
  std::string_view payload() const noexcept { return message_.payload(); }
  template <class T>
  T as() const {
    return message_.as<T>();
  }
  const Headers& headers() const noexcept { return message_.headers(); }
  std::string_view header(std::string_view name) const noexcept { return message_.header(name); }

  /// How often it has been given to a worker, this time included; 0 without acknowledgement.
  std::uint32_t attempt() const noexcept { return attempt_; }
  /// It may have been worked on before, in part or as a whole.
  bool redelivered() const noexcept { return attempt_ > 1; }

  /// It is done, and never comes again. No effect where it was settled, or needs no answer.
  void done();
  /// Goes to another worker after the pusher's `retry_after`, or is given up; `reason`, up to 240
  /// bytes, goes along where it is.
  void failed(std::string_view reason = {});

 private:
  void settle(bool done, std::string_view reason) noexcept;

  Message message_;
  std::uint32_t attempt_;
  std::uint64_t ticket_;  ///< 0: nothing to answer for.
  std::shared_ptr<detail::PullLoop> loop_;
};

struct PullerOptions {
  std::string name = "puller";  ///< Pushers are told it.
  std::vector<Endpoint> bind = {};
  std::vector<Endpoint> connect = {};
  Security security = {};  ///< Keys, and who may connect; off loopback see Security.
  /// Messages that are here at a time, begun or not, from all pushers together (one from each at
  /// least). As many as there are threads to work on them, and some more where work is short and
  /// the way is long; what is here is not with an idle worker. Memory is bounded by it alone: so
  /// many messages of up to 64 MiB; plain has as many again in ZeroMQ's queue, for each pusher.
  std::uint32_t credit = 10;
  /// How often it shows pushers that it lives, however long work takes; silent for three of them,
  /// it is dead to them, and its work goes to others.
  std::chrono::milliseconds heartbeat{1000};
  /// plain: from stock PUSH programs; nothing is acknowledged, and what is here is lost with us.
  /// The first frame is the payload, and the others are Message::further. `heartbeat` has no
  /// effect.
  Wire wire = Wire::busbar;
};

/// received = taken + waiting + dropped + duplicates; taken = done + failed + late + held.
struct PullerLedger {
  std::uint64_t received = 0;
  std::uint64_t taken = 0;
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
  std::uint64_t late = 0;     ///< Settled when the pusher had given it to another one, or had gone.
  std::uint64_t dropped = 0;  ///< Never taken: its pusher has given it to another one.
  std::uint64_t duplicates = 0;  ///< Redelivered, but held or done here already.
  std::uint64_t waiting = 0;
  std::uint64_t held = 0;       ///< Taken and not settled.
  std::uint64_t malformed = 0;  ///< Frames that broke the protocol; more than limits::frames.
  std::size_t pushers = 0;
  /// Why a connection of ours was refused, or has no address or permission, until one succeeds.
  std::string handshake_failure = {};
  std::string unresolved = {};

  bool reconciles() const noexcept {
    return received == taken + waiting + dropped + duplicates &&
           taken == done + failed + late + held;
  }
};

/// Every call may be made from any thread, so several threads may work from one Puller. Its own
/// thread receives, answers and shows that it lives. The destructor gives back what was not taken.
class Puller {
 public:
  /// Binds and connects. Throws Error; see Socket.
  Puller(Context& context, PullerOptions options);
  Puller(Puller&&) noexcept;
  ~Puller();

  /// Empty: nothing is there now.
  std::optional<Work> receive() { return receive(std::chrono::milliseconds{0}); }
  /// Waits for at most `timeout`. Empty: none came, or it was stopped.
  std::optional<Work> receive(std::chrono::milliseconds timeout);

  /// All work until `stop`, or until none came for `timeout`:
  /// `for (busbar::Work& work : puller.work())`. One loop at a time for each call; what is not done
  /// when the loop turns has failed.
  using AllWork = detail::Incoming<Puller, std::optional<Work>>;
  AllWork work(std::chrono::milliseconds timeout = detail::unlimited);

  /// For another event loop: readable (poll(2), level-triggered) while there is work to take, and
  /// from the end on. Good as long as the Puller.
  int fd();
  /// Hands over what there is, at most `most` messages, and never waits. Answers how many. What the
  /// handler neither settles nor moves away has failed, also where it throws, which comes out of
  /// here. It may call `stop`: what it was given is still its own, and nothing follows.
  std::size_t drain(const std::function<void(Work&)>& handler, std::size_t most = 1000);

  /// Ends `work` and every receive, takes no more and gives back what was not taken. What was taken
  /// may still be settled, until the Puller is destroyed. Never waits, so that whoever works may
  /// call it.
  void stop();
  bool stopped() const;

  PullerLedger ledger() const;
  /// Where it is bound, with the ports that the system chose.
  const std::vector<Endpoint>& bound() const noexcept;

 private:
  std::shared_ptr<detail::PullLoop> loop_;
  Runner runner_;
};

}  // namespace busbar

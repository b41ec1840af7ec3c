/// Receives what publishers send, in order and once, or says what was lost.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <busbar/core/context.hpp>
#include <busbar/core/ledger.hpp>
#include <busbar/core/socket_options.hpp>
#include <busbar/core/topic.hpp>
#include <busbar/patterns/gap.hpp>
#include <busbar/patterns/incoming.hpp>
#include <busbar/patterns/message.hpp>

namespace busbar {

struct SubscriberOptions {
  std::string name = "subscriber";
  std::vector<Endpoint> bind = {};
  std::vector<Endpoint> connect = {};
  Security security = {};  ///< Keys, and the publisher's; off loopback see Security.
  bool recover = true;  ///< Fetch what is missing; messages behind it wait so long, about a second.
  std::size_t waiting_messages = 100'000;  ///< Bounds of what waits behind gaps.
  std::size_t waiting_bytes = 64u << 20;
  /// ZeroMQ messages (batches) from each publisher, ZMQ_RCVHWM. 0: no bound, in memory either.
  int queue = 1000;
};

/// Counts of messages: received = delivered + duplicates + unwanted + malformed + waiting.
struct SubscriberLedger {
  std::uint64_t received = 0;
  std::uint64_t delivered = 0;
  std::uint64_t duplicates = 0;  ///< Came again, and were left out.
  std::uint64_t unwanted = 0;    ///< Begin with a pattern's prefix, but do not match it.
  std::uint64_t malformed = 0;   ///< Broken headers or batches; more than limits::frames frames.
  std::uint64_t waiting = 0;     ///< Behind a gap.
  std::uint64_t recovered = 0;   ///< Of those delivered: were missing, and came when asked for.
  std::uint64_t lost = 0;        ///< Told as gaps.
  std::vector<PeerInfo> peers = {};
  std::string unresolved = {};  ///< Why no address or permission, until a connection succeeds.

  bool reconciles() const noexcept {
    return received == delivered + duplicates + unwanted + malformed + waiting;
  }
};

/// Belongs to one thread, as a Socket does: the first that subscribes or receives; in any other
/// both throw Error (usage). `stop` may be called by any. Without a thread of its own: what is not
/// received waits in ZeroMQ's queue, and then at the publisher, whose policy counts. A stock
/// publisher's messages come as they are, with their second frame as payload and what is behind it
/// in Message::further.
class Subscriber {
 public:
  /// Throws Error as Socket does.
  Subscriber(Context& context, SubscriberOptions options);
  Subscriber(Subscriber&&) noexcept;
  Subscriber& operator=(Subscriber&&) noexcept;
  ~Subscriber();

  /// Takes effect when the publishers hear of it; see `wait_ready`. Who subscribes twice has to
  /// unsubscribe twice. What is published while nothing subscribes to it is no loss.
  void subscribe(const TopicPattern& pattern);
  void unsubscribe(const TopicPattern& pattern);
  /// Returns once so many publishers have welcomed every subscription: from now on nothing that
  /// they publish is missed. What comes meanwhile waits to be received: where it reaches
  /// waiting_messages or waiting_bytes this throws Error (timeout) at once, and says so. Throws
  /// Error (timeout), and Error (usage) after a stop. Stock publishers never welcome anyone.
  /// Whether or not it is called, a publisher whose welcome was lost is asked for it again.
  void wait_ready(std::size_t publishers, std::chrono::milliseconds timeout);
  void wait_ready(std::chrono::milliseconds timeout) { wait_ready(1, timeout); }
  /// Whether one has, as far as was received.
  bool is_ready() const noexcept;

  /// Empty: nothing is there now.
  std::optional<Message> receive() { return receive(std::chrono::milliseconds{0}); }
  /// Waits for at most `timeout`. Empty: nothing came, or `stop` was called.
  std::optional<Message> receive(std::chrono::milliseconds timeout);

  /// All messages until `stop`, or until none came for `timeout`:
  /// `for (const Message& message : quotes.messages())`. A message is good until the next one;
  /// copies are good for longer.
  using Messages = detail::Incoming<Subscriber, const Message*>;
  Messages messages(std::chrono::milliseconds timeout = detail::unlimited);
  /// Hands every message to `handler`, until `stop`. What it throws comes out of here.
  void run(const std::function<void(const Message&)>& handler);
  /// Makes every waiting call return, and all later ones return at once. Any thread.
  void stop() noexcept;
  bool stopped() const noexcept;

  /// Called between the message before a gap and the one behind it, by whatever call receives.
  void on_gap(std::function<void(const Gap&)> handler);

  /// For another event loop: readable (poll(2), level-triggered) when `drain` has something to do.
  int fd();
  /// Hands over what there is, at most `most` messages, and never waits. Answers how many. What the
  /// handler throws comes out of here; its message has been delivered, and the others stay.
  std::size_t drain(const std::function<void(const Message&)>& handler, std::size_t most = 1000);

  const std::vector<Endpoint>& bound() const noexcept;
  SubscriberLedger ledger() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace busbar

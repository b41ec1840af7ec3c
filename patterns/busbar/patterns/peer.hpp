/// Peers that find each other and speak to each other without anything between them: 36/ZRE.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <busbar/core/codec.hpp>
#include <busbar/core/runner.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/patterns/incoming.hpp>
#include <busbar/patterns/peer_event.hpp>

namespace busbar {

struct PeerOptions {
  /// Shown to the others, 255 bytes at most; default: the first six digits of the id.
  std::string name = {};
  /// Where beacons are sent and heard, and connections are taken: a name (`lo`, `eth0`) or an IPv4
  /// address of this machine. Off loopback it needs keys, or `security.insecure`.
  std::string interface = "lo";
  std::uint16_t beacon_port = protocol::zre::beacon_port;  ///< UDP; 0: no beacons.
  std::chrono::milliseconds beacon_interval{1000};         ///< Above 0.
  /// Where connections are taken; default: a port of RFC 36's range, at the interface's address.
  /// One that is not tcp sends no beacons.
  std::optional<Endpoint> bind = {};
  /// Endpoints of peers to ask whom they know, where beacons do not reach. Tried again until
  /// somebody is there, and when it has gone. Only Busbar's peers tell whom they know.
  std::vector<Endpoint> connect = {};
  /// With keys all is encrypted, and `allow` says who may speak to us. A beacon has no room for a
  /// key: `server_key` is the public key of those whom beacons announce and of `connect`; default:
  /// ours, all have the same pair. Where each has a pair of its own, one of any two must know the
  /// other's key, from `server_key` or from a peer that both are connected to: whoever has spoken
  /// to us is answered with the key that it has proven to have. A peer that is connected to with
  /// another key than its own does not enter.
  Security security = {};
  /// The others see them in `enter`. A name has 1 to 255 bytes, those that begin with X-BUSBAR are
  /// reserved; all have 64 KiB together.
  Headers headers = {};
  std::chrono::milliseconds evasive_after{5000};   ///< Silent for so long; asked before.
  std::chrono::milliseconds expire_after{30'000};  ///< So long, a peer is gone; above the former.
  /// Events that wait to be received, at least 1. With so many nothing more is read, and whoever
  /// sends to us finds us full; nobody is taken for silent meanwhile.
  std::size_t waiting_max = 100'000;
  std::size_t peers_max = 1000;  ///< More are turned away, and counted; 0: all are.
};

/// One that has entered and not left.
struct KnownPeer {
  PeerId id = {};
  std::string name = {};
  std::string endpoint = {};
  std::string key = {};  ///< The public key that it has proven to have; empty without keys.
  bool evasive = false;
  std::vector<std::string> groups = {};
  Headers headers = {};
};

/// Counts of messages, one for each peer that they go to or come from.
struct PeerLedger {
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  std::uint64_t overflow = 0;   ///< Whispers and shouts not sent: the peer's queue was full.
  std::uint64_t malformed = 0;  ///< Not of ZRE version 2.
  std::uint64_t early = 0;      ///< Came before the sender's HELLO.
  std::uint64_t lost = 0;       ///< Gaps in a peer's numbers: it exits, and enters anew.
  std::uint64_t forged = 0;     ///< Under the id of a peer that has another key.
  std::uint64_t refused = 0;    ///< Peers turned away: too many, in too many groups, no address.
  std::uint64_t unwanted = 0;   ///< Shouts to groups that we are not in.
  /// Of those sent: lost, as the connection to the peer was gone, or never came to be (it refuses
  /// our key). It exits, and enters anew.
  std::uint64_t undeliverable = 0;
  std::uint64_t waiting = 0;  ///< Events that wait to be received.
  std::size_t peers = 0;
};

namespace detail {
class PeerLoop;
}

/// Every call may be made from any thread. Its own thread sends, receives and looks after the
/// others, from the constructor on; the destructor says goodbye.
///
/// Between a peer's `enter` and its `exit` its messages come in order and once. Where one is lost
/// with a connection, the peer exits, and enters anew.
class Peer {
 public:
  /// Throws Error: usage, the interface is not there, or an option is out of its bounds;
  /// unreachable, the beacon port cannot be shared; or see Socket.
  explicit Peer(Context& context, PeerOptions options = {});
  Peer(Peer&&) noexcept;
  ~Peer();

  const PeerId& id() const noexcept;
  const std::string& name() const noexcept;
  /// Where connections are taken.
  const Endpoint& endpoint() const noexcept;

  /// Groups are text of 1 to 255 bytes, and a peer is in 1,000 at most; groups, headers and offers
  /// have 255 KiB together, as the others turn away whoever has more. Else throws Error (usage). No
  /// effect where it is so already, and after a stop.
  void join(const std::string& group);
  void leave(const std::string& group);

  /// To one peer. full: its queue is (it does not read). no_peer: it is not there, or we were
  /// stopped. too_large: above limits::message_bytes. Blocks for up to 1 s where more is said than
  /// our thread carries out, as `shout` does.
  [[nodiscard]] SendResult whisper(const PeerId& to, std::string_view payload);
  template <class T>
  requires(!std::convertible_to<const T&, std::string_view>) [[nodiscard]] SendResult
      whisper(const PeerId& to, const T& value) {
    return whisper(to, std::string_view{pack(value)});
  }
  /// To all peers in the group. Answers to how many it went; those that are full are left out and
  /// counted (`overflow`). 0 after a stop. Throws Error (usage) where it is larger than a message
  /// may be.
  std::size_t shout(const std::string& group, std::string_view payload);
  template <class T>
  requires(!std::convertible_to<const T&, std::string_view>) std::size_t
      shout(const std::string& group, const T& value) {
    return shout(group, std::string_view{pack(value)});
  }

  /// Returns when all that was said is on its way to those who read: each of them has answered once
  /// that it hears us, or is gone, and what it was told counts as undeliverable. Throws Error
  /// (timeout), and Error (usage) after a stop.
  void flush(std::chrono::milliseconds timeout);

  /// Tells all peers that the service `name` is at `endpoint`, for as long as we live; `*` as its
  /// host stands for our interface's address. A name has 1 to 200 printable bytes without space;
  /// for how much may be offered see `join`. Else throws Error (usage).
  /// Whatever connects in a context with a Peer may give `peer://NAME` as its endpoint; that nobody
  /// offers it is said once that Peer has been there for three beacon intervals.
  void offer(const std::string& name, const Endpoint& endpoint);
  /// All endpoints of that name. No effect where there is none.
  void withdraw(const std::string& name);
  /// Where it is offered, by us or by others; waits until somebody does. Empty: nobody does within
  /// `timeout`.
  std::vector<Endpoint> find(const std::string& name, std::chrono::milliseconds timeout);

  /// Empty: nothing is there now.
  std::optional<PeerEvent> receive() { return receive(std::chrono::milliseconds{0}); }
  /// Waits for at most `timeout`. Empty: none came, or it was stopped.
  std::optional<PeerEvent> receive(std::chrono::milliseconds timeout);
  /// All events until `stop`, or until none came for `timeout`:
  /// `for (busbar::PeerEvent& event : me.events())`.
  using Events = detail::Incoming<Peer, std::optional<PeerEvent>>;
  Events events(std::chrono::milliseconds timeout = detail::unlimited);
  /// For another event loop: readable (poll(2), level-triggered) while there is an event, and from
  /// the end on. Good as long as the Peer.
  int fd();
  /// Hands over what there is, at most `most` events, and never waits. Answers how many. What the
  /// handler throws comes out of here; its event has been delivered, and the others stay.
  std::size_t drain(const std::function<void(PeerEvent&)>& handler, std::size_t most = 1000);

  /// Who is there, as far as its `enter` was heard, received or not.
  std::vector<KnownPeer> peers() const;
  /// Returns once `count` are there at least. Throws Error (timeout) that says how many were, and
  /// Error (usage) after a stop.
  void wait_for_peers(std::size_t count, std::chrono::milliseconds timeout);
  PeerLedger ledger() const;

  /// Ends `events` and every waiting call, and leaves; waits for nothing. The destructor waits for
  /// our thread, which sends what goes out at once: `flush` before for the rest.
  void stop();
  bool stopped() const;

 private:
  std::shared_ptr<detail::PeerLoop> loop_;
  Runner runner_;
};

}  // namespace busbar

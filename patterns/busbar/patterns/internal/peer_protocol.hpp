/// A node of 36/ZRE: who is there, in which order they speak, and what to say to them. A pure
/// machine.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <busbar/core/clock.hpp>
#include <busbar/core/endpoint.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/patterns/peer_event.hpp>
#include <busbar/protocol/zre.hpp>
#include <busbar/protocol/zre_note.hpp>

namespace busbar::detail {

struct PeerProtocolOptions {
  PeerId id = {};
  std::string name = {};
  std::string endpoint = {};  ///< Where we take connections; what HELLO says.
  std::uint16_t port = 0;     ///< The same, for beacons.
  Headers headers = {};
  std::string beacon_key = {};             ///< The public key of those whom beacons announce.
  std::vector<std::string> contacts = {};  ///< Endpoints to ask at.
  std::chrono::milliseconds beacon_interval{1000};  ///< 0: none are sent.
  std::chrono::milliseconds evasive_after{5000};
  std::chrono::milliseconds expire_after{30'000};
  std::size_t peers_max = 1000;
};

struct PeerCounts {
  std::uint64_t received = 0;   ///< Messages.
  std::uint64_t sent = 0;       ///< Messages, one for each peer.
  std::uint64_t overflow = 0;   ///< Not sent, as the peer's queue was full.
  std::uint64_t malformed = 0;  ///< No ZRE message, or not from a ZRE identity.
  std::uint64_t early = 0;      ///< Before a HELLO.
  std::uint64_t lost = 0;       ///< Gaps in sequences; each cost the peer its connection.
  std::uint64_t forged = 0;     ///< Under the id of a peer with another key.
  std::uint64_t refused = 0;    ///< Peers turned away: too many, too many groups, or no address.
  std::uint64_t unwanted = 0;   ///< Shouts to groups that we are not in.
  /// Of those sent: lost, as their connection was gone, or had never been proven to lead anywhere.
  std::uint64_t undeliverable = 0;
};

/// What a peer says where it is must be connected to as it stands: no name that libzmq would look
/// up, and nothing within our own process. Empty: it is no such endpoint.
std::optional<Endpoint> peer_address(const std::string& text);

/// What is to be done, in this order.
struct PeerAction {
  enum class Kind { open, close, send, beacon, look_up };
  Kind kind = Kind::send;
  std::uint64_t mailbox = 0;      ///< The way to one peer; its number is never used again.
  std::optional<PeerId> to = {};  ///< open: who is there, where that is known.
  std::string endpoint = {};      ///< open: an address; look_up: what names a host.
  std::string key = {};           ///< open: the public key of who is there; empty: none.
  Multipart frames = {};          ///< send
  protocol::zre::Beacon beacon = {};
};

class PeerProtocol {
 public:
  explicit PeerProtocol(PeerProtocolOptions options, TimePoint now);

  // What came in.
  void on_beacon(const protocol::zre::Beacon& beacon, std::string_view host, TimePoint now);
  /// `frames` without the routing id, which is `from`; `key`: the public key that the connection
  /// was made with, empty without CURVE. The frames are taken where they are an event's.
  void on_message(std::string_view from, Multipart& frames, std::string_view key, TimePoint now);
  void on_time(TimePoint now);
  /// When on_time wants to be called.
  TimePoint next_deadline() const noexcept { return deadline_; }
  /// Nobody could be heard until now, by our own fault.
  void was_deaf(TimePoint now);
  /// The mailbox takes nothing more, or does again.
  void congested(std::uint64_t mailbox, bool is);
  /// What waits for its peer is too much: it does not respond.
  void unresponsive(std::uint64_t mailbox, TimePoint now);
  /// The mailbox's connection is gone, and `lost` messages with it.
  void broken(std::uint64_t mailbox, std::uint64_t lost, TimePoint now);
  /// The mailbox's connection was refused: what is said to it next may find it gone.
  void refused(std::uint64_t mailbox);
  /// A configured endpoint whose host's name was to be looked up is at `address`.
  void looked_up(const std::string& endpoint, const std::string& address, TimePoint now);

  // What the user wants.
  /// False: others would not take what our HELLO becomes, and nothing has changed.
  bool join(const std::string& group);
  void leave(const std::string& group);
  /// sent, full, or no_peer. The frames are the content.
  SendResult whisper(const PeerId& to, Multipart& content);
  /// To how many it goes.
  std::size_t shout(const std::string& group, Multipart& content);
  /// False: as of `join`.
  bool set_offers(Headers offers);
  /// Says that we leave; nothing else may be called but next_action.
  void goodbye();

  std::optional<PeerAction> next_action();
  std::size_t actions() const noexcept { return actions_.size(); }
  bool anything_congested() const noexcept;
  /// Asks all to whom the user spoke, and who never answered by the same way.
  void prove();
  bool anything_unproven() const noexcept;
  std::optional<PeerEvent> next_event();
  std::size_t events() const noexcept { return events_.size(); }

  /// A connection, and the number of the last message on it. There is one to an address at most:
  /// libzmq ends all to the same one at once.
  struct Way {
    std::uint64_t mailbox = 0;  ///< 0: none.
    std::string address = {};
    std::uint16_t sent = 0;
    std::uint64_t headers = 0;  ///< Which version of ours was told on it.
    std::string key = {};       ///< Who must be there.
    bool congested = false;     ///< Its mailbox takes nothing more.
    bool spoke = false;         ///< What the user says went by it.
    bool asked = false;         ///< Whether it leads there: once, as what is sent keeps its order.
    bool proven = false;        ///< The other end has answered to it.
  };
  struct Node {
    PeerId id;
    std::string endpoint;
    std::string key = {};  ///< What its HELLO came with.
    Way way = {};
    std::uint16_t heard_last = 0;
    bool ready = false;  ///< It has said HELLO.
    bool speaks_notes = false;
    bool evasive = false;
    bool asked_by_us = false;
    std::string name = {};
    std::set<std::string> groups = {};
    Headers headers = {};
    TimePoint since = {};
    TimePoint heard = {};
    TimePoint greeted = {};
    TimePoint pinged = {};
    TimePoint leaves = TimePoint::max();  ///< It has said so, beside what it still sends.

    /// Without those that are Busbar's own.
    Headers users_headers() const;
  };
  const std::unordered_map<PeerId, Node>& nodes() const noexcept { return nodes_; }
  std::size_t ready() const noexcept { return ready_; }
  const std::set<std::string>& groups() const noexcept { return groups_; }
  const PeerCounts& counts() const noexcept { return counts_; }

 private:
  struct Contact {
    std::string endpoint;
    Way way = {};  ///< None once it is its peer's.
    std::optional<PeerId> peer = {};
    TimePoint retry = {};
  };

  /// What our HELLO says beside ourselves.
  struct Greeting {
    bool answer = false;        ///< We have its HELLO; so it need not greet us again.
    std::string asked_at = {};  ///< The configured endpoint, its or ours, that this is about.
  };

  static bool is_unproven(const Node& node) noexcept;
  Node* find(const PeerId& id);
  Node& add(const PeerId& id, std::string endpoint, TimePoint now);
  Node* require(const PeerId& id, const std::string& endpoint, const std::string& key,
                const Greeting& greeting, TimePoint now);
  void remove(const PeerId& id, TimePoint now);
  Node* node_at(const std::string& address);
  Contact* contact_at(const std::string& address);
  Way open(const std::string& address, const std::string& key, std::optional<PeerId> to,
           TimePoint now);
  void close(Way& way);
  protocol::zre::Hello hello() const;
  bool others_take_us() const;
  void greet(Way& way, const Greeting& greeting);
  void send(Way& way, const protocol::zre::Body& body, Multipart* content = nullptr);
  void send_all(const protocol::zre::Body& body);
  void send(Node& node, const protocol::zre::Note& note);
  void event(PeerEvent::Kind kind, const Node& node, std::string group = {});

  void on_hello(const PeerId& id, protocol::zre::Hello&& hello, std::string_view key,
                TimePoint now);
  void enter(Node& node, protocol::zre::Hello&& hello);
  void on_traffic(Node& node, protocol::zre::Message&& message, Multipart& frames, TimePoint now);
  void on_content(Node& node, PeerEvent::Kind kind, std::string group, Multipart& frames,
                  TimePoint now);
  void doubt(Node& node, TimePoint now);
  void on_note(Node& node, protocol::zre::Note&& note, TimePoint now);
  void use_contact(Node& node, Contact& contact);
  bool use_key(Node& node, std::string_view key, const Greeting& greeting, TimePoint now);
  void ask_somebody();
  void tell_known(Node& asker);
  void tell_headers(Node& node);
  TimePoint gone_at(const Node& node) const;
  TimePoint ping_at(const Node& node) const;
  TimePoint due(const Node& node) const;
  void look_after(Node& node, TimePoint now);
  void try_contacts(TimePoint now);
  void ask_at(Contact& contact, const std::string& address, TimePoint now);

  PeerProtocolOptions options_;
  std::unordered_map<PeerId, Node> nodes_;
  std::unordered_map<std::string, PeerId> homes_;  ///< Who is known at each endpoint.
  std::set<PeerId> askers_;                        ///< Those that we tell whom we get to know.
  std::vector<Contact> contacts_;
  std::set<std::string> groups_;
  std::uint8_t status_ = 0;
  std::size_t ready_ = 0;
  std::uint64_t last_mailbox_ = 0;
  std::uint64_t headers_version_ = 0;
  TimePoint beacon_at_;
  TimePoint ask_again_ = TimePoint::max();
  TimePoint deadline_;
  std::deque<PeerAction> actions_;
  std::deque<PeerEvent> events_;
  PeerCounts counts_;
};

}  // namespace busbar::detail

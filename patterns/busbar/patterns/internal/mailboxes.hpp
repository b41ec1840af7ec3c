/// The sockets of a peer: its inbox, and the ways to all others.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <busbar/core/internal/resolver.hpp>
#include <busbar/core/internal/socket_poll.hpp>
#include <busbar/core/socket.hpp>
#include <busbar/protocol/zre.hpp>

namespace busbar::detail {

/// All ways out share one ROUTER, which costs no descriptor and no thread's attention for each;
/// RFC 36 has a DEALER for each. Its peers see no difference but the socket type in the handshake.
/// A neighbour in the same context is reached within the process, with the same frames and without
/// a connection, unless there are keys.
class Mailboxes {
 public:
  struct Options {
    PeerId id = {};
    std::string name = {};
    std::optional<Endpoint> bind = {};  ///< Else a port of RFC 36's range at `host`.
    std::string host = {};
    Security security = {};
  };
  /// Throws Error; see Socket.
  Mailboxes(Context& context, const Options& options);
  Mailboxes(const Mailboxes&) = delete;
  Mailboxes& operator=(const Mailboxes&) = delete;
  ~Mailboxes();

  const Endpoint& endpoint() const noexcept { return endpoint_; }

  /// Never blocks. The routing id is in `from`, the public key of the connection in `key`.
  bool receive(std::string& from, Multipart& frames, std::string& key);

  /// `key`: the public key of who is there. False: nobody can be reached at such an address.
  /// Requires that no other mailbox leads there: libzmq would end both with either.
  bool open(std::uint64_t mailbox, std::optional<PeerId> to, const std::string& address,
            const std::string& key);
  void close(std::uint64_t mailbox);
  /// Keeps what does not go now. Answers how many wait in that mailbox.
  std::size_t send(std::uint64_t mailbox, Multipart& frames);
  /// Sends what waits; names those that became empty.
  std::vector<std::uint64_t> send_waiting();
  /// Mailboxes whose connection is gone, and how many messages were lost with it since the last
  /// call.
  std::map<std::uint64_t, std::uint64_t> take_broken() { return std::exchange(broken_, {}); }
  /// Mailboxes whose connection was refused since the last call: no key of ours, or not theirs.
  std::vector<std::uint64_t> take_refused() { return std::exchange(refused_, {}); }
  bool anything_waits() const noexcept { return !waiting_.empty(); }

  void look_up(const std::string& endpoint, TimePoint now);
  /// Configured endpoints that were looked up, and the address of each.
  std::vector<std::pair<std::string, std::string>> looked_up(TimePoint now);

  /// Reads the monitors; says when to call it and `looked_up` again at the latest.
  TimePoint maintain(TimePoint now);
  void add_to(SocketPoll& poll, bool hear);
  void release() noexcept;

 private:
  struct Way {
    std::string endpoint;  ///< As it was connected.
    std::deque<Multipart> waiting = {};
  };
  bool connect(std::uint64_t mailbox, const std::string& endpoint, const std::string& key);
  bool send_now(std::uint64_t mailbox, Multipart& frames);
  void hear(const SocketEvent& event);

  Context context_;
  Options options_;
  std::optional<Socket> inbox_;
  std::optional<Socket> out_;
  Endpoint endpoint_{"inproc://none"};
  Resolver resolver_{true};
  std::map<std::uint64_t, Way> ways_;
  std::set<std::uint64_t> waiting_;
  std::map<std::uint64_t, std::uint64_t> broken_;
  std::vector<std::uint64_t> refused_;
  TimePoint monitors_at_ = TimePoint::min();
  Multipart unread_;
};

}  // namespace busbar::detail

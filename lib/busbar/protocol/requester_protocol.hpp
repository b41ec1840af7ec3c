/// What a requester decides: which server is asked, when again, and what became of each request.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <busbar/core/clock.hpp>
#include <busbar/core/error.hpp>
#include <busbar/core/multipart.hpp>
#include <busbar/protocol/event_queue.hpp>
#include <busbar/protocol/latency_window.hpp>
#include <busbar/protocol/paged_table.hpp>
#include <busbar/protocol/request_codec.hpp>

namespace busbar {

/// What became of a request.
enum class Outcome : std::uint8_t {
  replied,
  failed,     ///< The handler threw, or let go of it: it was begun.
  refused,    ///< Never begun: no such method, not what it takes, or the server is full or leaves.
  expired,    ///< No reply before the deadline. It may have been done.
  no_peer,    ///< Never begun: no server is there.
  lost,       ///< The connection went while it was out, or the server cannot tell any more. It may
              ///< have been done.
  cancelled,  ///< By the requester. It may have been done.
};
inline constexpr std::size_t outcome_count = 7;
/// `replied`, `no_peer`, ….
std::string_view name_of(Outcome outcome) noexcept;

/// Which server gets a request, of those that are connected and answer.
enum class Choice {
  least_loaded,  ///< The one with the fewest requests of ours unanswered.
  failover,      ///< The first in the order given.
};

}  // namespace busbar

namespace busbar::protocol {

struct RequesterProtocolOptions {
  std::uint64_t id = 0;     ///< Random.
  std::size_t servers = 1;  ///< At most RequesterProtocol::servers_max.
  Choice choice = Choice::least_loaded;
  std::chrono::milliseconds attempt_timeout{1000};
  /// So much is sent at most to a server that says nothing; then a request a second.
  std::uint64_t unheard_max = UINT64_MAX;
  double hedge = 0;  ///< At most this share of requests is sent a second time ahead of time.
  /// Requests that go in one message at most, to a server that is known to speak our protocol.
  std::uint32_t batch_messages = 1;
  std::chrono::milliseconds utc{0};  ///< What makes UTC, in ms since 1970, of `now`.
};

struct RequesterCounts {
  std::uint64_t requested = 0;
  std::array<std::uint64_t, outcome_count> outcomes{};
  std::uint64_t in_flight = 0;
  std::uint64_t sent = 0;  ///< Attempts; those beyond a request's first are retried or hedged.
  std::uint64_t retried = 0;
  std::uint64_t hedged = 0;
  std::uint64_t cancels = 0;  ///< Told to servers.
  std::uint64_t late = 0;     ///< Replies that nobody waited for any more.
  std::uint64_t malformed = 0;
};

/// One requester and the servers that it is connected to, known by their index. Pure: sockets and
/// time are given. Where an attempt may be repeated and where not:
/// - never begun (no server was there, or one said so): at another server;
/// - connection lost, or no answer within attempt_timeout: at another server, if it is idempotent;
///   where all have it once more at the same one, after pauses that double up to 16
///   attempt_timeouts, unless that is direct.
class RequesterProtocol {
 public:
  static constexpr std::size_t servers_max = 64;

  struct Order {
    std::string_view method = {};
    Frame payload = {};
    std::chrono::milliseconds deadline{0};  ///< Up to deadline_max; 0 or less: it has expired.
    bool idempotent = false;
    /// Which servers may have it, a bit for each; none of the others is waited for.
    std::uint64_t servers = UINT64_MAX;
  };
  struct Finished {
    std::uint64_t number = 0;
    Outcome outcome = Outcome::replied;
    FailureStatus status = FailureStatus::failed;  ///< failed and refused: why.
    std::uint8_t kind = 0;                         ///< failed: ErrorKind, or 0.
    std::string method = {};
    Frame body = {};
    std::size_t begin = 0;   ///< Of `text` in body.
    Multipart further = {};  ///< Frames behind the body: only stock programs send them.
    /// replied: the payload; else the reason, where there is one.
    std::string_view text() const noexcept { return busbar::text(body).substr(begin); }
  };
  struct Send {
    std::size_t server = 0;
    Multipart frames = {};
  };

  explicit RequesterProtocol(RequesterProtocolOptions options);

  /// Answers the request's number, from 1.
  std::uint64_t add(Order order, TimePoint now);
  /// No effect where it is finished already.
  void cancel(std::uint64_t number);
  /// All that is in flight is finished as cancelled.
  void cancel_all();

  void connected(std::size_t server, TimePoint now);
  void disconnected(std::size_t server, TimePoint now);
  /// Could not be connected to; more attempts follow.
  void unreachable(std::size_t server);
  /// Takes the frames that came from a server.
  void on_message(std::size_t server, Multipart& frames, TimePoint now);
  void on_time(TimePoint now);
  TimePoint next_deadline() const noexcept { return events_.next(); }

  /// What is to be sent next; false: nothing.
  bool next(Send& send, TimePoint now);
  /// What finished next; false: nothing. `finished` is reused.
  bool take(Finished& finished);

  const RequesterCounts& counts() const noexcept { return counts_; }
  std::size_t connected_servers() const noexcept;
  bool is_connected(std::size_t server) const noexcept {
    return servers_[server].state == State::up;
  }
  std::uint64_t outstanding(std::size_t server) const noexcept {
    return servers_[server].outstanding;
  }

 private:
  static constexpr std::size_t none = servers_max;
  static constexpr std::uint64_t bit(std::size_t server) noexcept {
    return std::uint64_t{1} << server;
  }
  enum class State { unknown, up, down };
  enum class Attempt { plain, hedged, wanted };
  struct Server {
    State state = State::unknown;
    std::uint64_t outstanding = 0;
    TimePoint heard{};          ///< When it last sent anything.
    TimePoint silent_until{};   ///< It left an attempt without an answer: others come first.
    bool known = false;         ///< It speaks our protocol, or a proxy stands before it.
    bool direct = false;        ///< It takes cancellations, and all that is sent arrives there.
    std::uint64_t unheard = 0;  ///< Attempts sent since.
    TimePoint probe_at{};       ///< With too many of them: none is sent before.
  };
  struct Request {
    std::string method;
    Frame payload;
    TimePoint deadline;
    TimePoint event;            ///< When to look at it next.
    TimePoint attempt_until;    ///< max(): not to be repeated.
    TimePoint hedge_at;         ///< max(): not to be hedged.
    TimePoint sent_at;          ///< The last attempt.
    std::uint64_t allowed = 0;  ///< A bit for each server that may have it.
    std::uint64_t out = 0;      ///< A bit for each server that has it.
    std::uint64_t refused = 0;  ///< Those that gave it back: no room. An idempotent one: of late.
    std::uint64_t wanted = 0;   ///< Those that got it last as one that is not late.
    std::uint32_t attempts = 0;
    std::uint8_t doublings = 0;  ///< Of the pause until a server that has it gets a copy.
    std::uint8_t first = 0;      ///< The server that got it first,
    std::uint8_t last = 0;       ///< and last.
    TimePoint first_sent_at{};
    bool idempotent = false;
  };
  struct Errand {
    std::size_t server;
    std::uint64_t number;
    bool cancel;
    bool wanted;
  };

  Request* find(std::uint64_t number) noexcept { return requests_.find(number); }
  Frame head_of(const Errand& errand, const Request& request, TimePoint now) const;
  /// Takes the next errands for the same server along, as far as they are requests.
  void make_batch(Send& send, RequestKey first, TimePoint now);
  void dispatch(std::uint64_t number, Request& request, TimePoint now);
  void send_copy(std::uint64_t number, Request& request, TimePoint now);
  void send_to(std::size_t server, std::uint64_t number, Request& request, TimePoint now,
               Attempt attempt = Attempt::plain);
  void look_at(std::uint64_t number, Request& request, TimePoint now);
  void schedule(std::uint64_t number, Request& request);
  void look_again(std::uint64_t number, Request& request, TimePoint at);
  void take_back(std::size_t server, Request& request) noexcept;
  void mark_silent(const Request& request, TimePoint now) noexcept;
  Finished& finish(std::uint64_t number, Request& request, Outcome outcome);
  void on_batch(std::size_t server, std::uint32_t count, std::string_view records, TimePoint now);
  /// A reply or a failure; null: it is not the end of a request.
  Finished* answered(std::size_t server, const Correlation& head, TimePoint now);
  /// Where the reply goes; null: nobody waits for it.
  Finished* replied(std::size_t server, const RequestKey& key, TimePoint now);
  void on_stock_reply(std::size_t server, const RequestKey& key, Multipart& frames, TimePoint now);
  bool ask_another(std::size_t server, std::uint64_t number, TimePoint now);
  bool try_later(std::uint64_t number, Request& request, TimePoint now);
  bool insist(std::size_t server, std::uint64_t number, TimePoint now);
  Finished* failed(std::size_t server, const FailureHead& head, TimePoint now);
  bool is_overrun(const Server& server, TimePoint now) const noexcept;
  /// Of those connected and in `allowed` that take more.
  std::size_t choose(std::uint64_t allowed, TimePoint now);
  /// No server in `allowed` is there, nor may be so in a moment.
  bool all_down(std::uint64_t allowed) const noexcept;
  bool any_up(std::uint64_t allowed) const noexcept;
  void tidy();
  void give_up_waiting();

  RequesterProtocolOptions options_;
  std::vector<Server> servers_;
  PagedTable<Request> requests_;
  EventQueue events_;
  LatencyWindow latency_;
  std::deque<std::uint64_t> waiting_;  ///< For a server; may hold some that are finished.
  std::vector<Errand> to_send_;
  std::size_t sent_ = 0;  ///< Of to_send_.
  std::vector<Finished> finished_;
  std::size_t taken_ = 0;  ///< Of finished_.
  std::size_t finished_size_ = 0;
  std::size_t turn_ = 0;
  std::uint64_t last_number_ = 0;
  RequesterCounts counts_;
};

}  // namespace busbar::protocol

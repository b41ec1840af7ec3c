/// What a replier decides: which requests are begun, and what the others are told.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <busbar/core/clock.hpp>
#include <busbar/core/multipart.hpp>
#include <busbar/protocol/delay_gauge.hpp>
#include <busbar/protocol/paged_table.hpp>
#include <busbar/protocol/reply_batch.hpp>
#include <busbar/protocol/request_codec.hpp>
#include <busbar/protocol/seen_numbers.hpp>

namespace busbar::protocol {

struct ReplierProtocolOptions {
  std::size_t waiting_max = 10'000;     ///< Requests held that are not begun; at least 1.
  std::size_t requesters_max = 10'000;  ///< Remembered; the one not heard for longest goes.
  std::chrono::milliseconds utc{0};     ///< See ReplierProtocol::set_utc.
};

/// received = replied + failed + refused + expired + unavailable + cancelled + duplicates +
/// malformed + waiting + running, at any time.
struct ReplierCounts {
  std::uint64_t received = 0;
  std::uint64_t replied = 0;
  std::uint64_t failed = 0;       ///< The handler threw, let go of it, or said too much.
  std::uint64_t refused = 0;      ///< No such method, or a body that it does not take.
  std::uint64_t expired = 0;      ///< Never begun, as its deadline had passed.
  std::uint64_t unavailable = 0;  ///< Never begun, for want of room or because we leave.
  std::uint64_t cancelled = 0;    ///< Before it was begun, or while it ran.
  std::uint64_t duplicates = 0;   ///< Held already, or done and not to be done again.
  std::uint64_t malformed = 0;
  std::uint64_t waiting = 0;
  std::uint64_t running = 0;
};

/// Where a request stood in the message that brought it.
enum class BatchPlace : std::uint8_t {
  none,    ///< It came alone.
  within,  ///< In a batch: its answer may wait for those that follow.
  last,    ///< At the end of one: the answers that gathered go with this one's.
};

/// All requests of one replier. Messages come with the address in front, as a ROUTER gives them,
/// and go out so. Pure. What it makes sure of:
/// - of the copies of a request that is not idempotent one is begun at most, and none once one was
///   given back as unavailable; of an idempotent one no second while the first is held;
/// - none is begun that was cancelled or whose deadline has passed, the time that it lay in queues
///   on the way included (DelayGauge). What was late by that may come again (`wanted`).
class ReplierProtocol {
 public:
  /// One that is to be worked on.
  struct Job {
    Multipart frames = {};    ///< The envelope, an empty frame, the body.
    std::size_t body = 0;     ///< Where the body begins.
    std::size_t payload = 0;  ///< The same, but behind the method that a stock requester named.
    RequestKey key = {};      ///< 0: of a stock requester.
    TimePoint deadline = TimePoint::max();
    bool direct = false;
    BatchPlace place = BatchPlace::none;
    std::uint64_t ticket = 0;  ///< Its number among all that were begun, from 1.
    /// In `frames`. Of a stock requester: its first frame, of two or more; else empty.
    std::string_view method = {};
    bool stock() const noexcept { return key.requester == 0; }
    /// The frame that answers it.
    Frame reply(std::string_view bytes) const;
    Frame failure(FailureStatus status, std::uint8_t kind, std::string_view reason) const;
  };

  static constexpr std::chrono::microseconds gather_max{200};

  explicit ReplierProtocol(ReplierProtocolOptions options = {}) : options_(options) {}

  /// What makes UTC, in ms since 1970, of `now`; for requesters that are new.
  void set_utc(std::chrono::milliseconds utc) noexcept { options_.utc = utc; }
  /// Takes what came, and leaves slots to be reused.
  void on_message(Multipart& message, TimePoint now);
  /// The next one to begin, moved into `job`, whose frames are reused; false: none is there.
  bool take(Job& job, TimePoint now);
  /// It is answered: `job.frames` becomes the reply, to be sent as it is; above
  /// limits::message_bytes it has failed. False: there is nothing to send now, since nobody waits,
  /// or since it gathers with others.
  bool reply(Job& job, Frame reply);
  bool fail(Job& job, FailureStatus status, std::uint8_t kind, std::string_view reason);
  /// Gives the slots of one that was sent back, to be reused.
  void recycle(Job& job);
  /// Whether a job that runs was cancelled.
  bool cancelled(const RequestKey& key);
  /// Everything that is not begun is answered as unavailable, and so is what still comes.
  void leave();

  /// Answers to one batch gather, to go back as one: until its last, or those of another way, or as
  /// long as requests wait and a gather_max has not passed. `flush` sends what is there.
  void flush();
  bool gathers() const noexcept { return !gathered_.empty(); }
  /// How often what had gathered was sent.
  std::uint64_t flushes() const noexcept { return flushes_; }
  /// What is to be sent beside replies, and those that gathered, moved into `message`; false:
  /// nothing.
  bool next(Multipart& message);
  const ReplierCounts& counts() const noexcept { return counts_; }

 private:
  struct Held {
    bool running = false;
    bool cancelled = false;
    /// A later attempt's, which may be the only one that still leads to the requester.
    std::unique_ptr<Multipart> envelope = {};
  };
  struct Requester {
    SeenNumbers seen;
    DelayGauge gauge;
    PagedTable<Held> held;
    std::list<std::uint64_t>::iterator place;  ///< In by_age_.
  };

  void begin_arriving(std::size_t body);
  void on_request(Job& job, const RequestHead& head, TimePoint now);
  /// False: the last frame of `arriving_` is none.
  bool on_batch(TimePoint now);
  void on_cancel(const RequestKey& key);
  bool send_or_gather(Job& job);
  void on_duplicate(Job& job, const RequestHead& head, const SeenNumbers& seen, Held* held);
  void hold(Job& job, TimePoint now);
  void give_back(Job& job);
  Requester& requester(std::uint64_t id, TimePoint now);
  /// nullptr: it was not heard of, or is forgotten.
  Requester* known(std::uint64_t id);
  void forget_one();
  Held* find(const RequestKey& key);
  /// Forgets that it is held; false: it was cancelled.
  bool let_go(Job& job);
  void refuse(Job& job, FailureStatus status);
  static void put_failure(Job& job, Frame last);

  ReplierProtocolOptions options_;
  std::unordered_map<std::uint64_t, Requester> requesters_;
  Requester* latest_ = nullptr;  ///< Most look-ups follow one of the same requester.
  std::uint64_t latest_id_ = 0;
  std::list<std::uint64_t> by_age_;  ///< Requesters, the one not heard for longest first.
  std::deque<Job> waiting_;
  std::vector<Multipart> spares_;  ///< Slots to be reused.
  std::vector<Multipart> to_send_;
  std::size_t sent_ = 0;
  ReplyBatch gathered_;
  TimePoint gathered_since_ = TimePoint::max();
  std::uint64_t flushes_ = 0;
  Job arriving_;
  std::uint64_t begun_ = 0;
  bool leaving_ = false;
  ReplierCounts counts_;
};

}  // namespace busbar::protocol

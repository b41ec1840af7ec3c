/// A publisher's side of the publish/subscribe protocol, without sockets, threads or clocks.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <busbar/protocol/header.hpp>
#include <busbar/protocol/heads_schedule.hpp>
#include <busbar/protocol/history.hpp>
#include <busbar/protocol/pubsub_control.hpp>

namespace busbar {

/// What a subscriber gets that comes late, before the messages that follow.
enum class LateJoin {
  nothing,
  last_value,  ///< The last message of each topic; of all, at most HistoryLimits::bytes.
  history,     ///< All that is kept of each topic, HistoryLimits.
};

inline constexpr std::array late_joins{LateJoin::nothing, LateJoin::last_value, LateJoin::history};
/// `nothing`, `last-value`, `history`.
std::string_view name_of(LateJoin late_join) noexcept;

namespace protocol {

/// One numbered sequence of a topic.
struct Stream {
  std::string key;    ///< The topic, and the stream's name behind it.
  std::string topic;  ///< All of the key for the topic's own stream.
  std::uint32_t number = 0;
  std::uint64_t next = 1;  ///< The sequence number of its next message.
  Frame last_value;        ///< Only with LateJoin::last_value, and within its bound.
  std::list<Stream*>::iterator last_value_at = {};
  std::string open_batch;  ///< What was published and not sent; the shell's.
  std::uint32_t open_count = 0;
  std::size_t open_last_size = 0;  ///< Of the payload that ends the open batch.
  Headers open_last_headers;
  HeadsSchedule::Place heads;
};

struct PublisherProtocolOptions {
  std::uint64_t id = 0;  ///< Drawn at random by the shell, so that a restart is seen.
  std::string name = {};
  LateJoin late_join = LateJoin::nothing;
  HistoryLimits history = {};
  std::size_t streams_max = 65'536;  ///< At one time; see `stream_of`.
  /// A subscription without a presence behind it for so long is a stock subscriber's.
  std::chrono::milliseconds stock_after{100};
};

/// The shell numbers what it sends through `stream_of` and `keep`, gives in what the XPUB socket
/// receives, and sends what `next_answer` has.
class PublisherProtocol {
 public:
  explicit PublisherProtocol(PublisherProtocolOptions options);

  std::uint64_t id() const noexcept { return options_.id; }
  /// A topic's own stream, or one of that name within it; made at its first use. The reference is
  /// good until the next call: above streams_max the one that was not used for longest is
  /// forgotten, and numbered anew if it comes back. One that has an open batch stays. Throws Error
  /// (usage): no valid topic, or a name of more than limits::topic_bytes.
  Stream& stream_of(std::string_view topic, std::string_view name = {});
  Header header_for(const Stream& stream, std::uint64_t time, std::uint32_t batch) const noexcept;
  /// Books `sent`, which stays as it is, as the stream's next message or batch. `last` is the last
  /// message in it, for those that come late.
  void keep(Stream& stream, const Header& header, Frame& sent, std::string_view last,
            const Headers& last_headers, TimePoint now);

  /// A message from the XPUB socket: 1 or 0, then the topic.
  void on_subscription(std::string_view message, TimePoint now);
  /// How many subscribers take the topic: exact for Busbar's; stock ones count once behind a
  /// forwarder, however many they are, and only after `stock_after`.
  std::size_t subscribers_of(std::string_view topic, TimePoint now) const;

  /// The next message to send under a reserved topic; false: none. It is made here, out of what is
  /// kept then: so whoever asks costs little until there is room for the answer, and those who ask
  /// at the same time get theirs by turns.
  bool next_answer(Multipart& into);
  void tick(TimePoint now);
  TimePoint next_deadline() const noexcept;
  const History& history() const noexcept { return history_; }
  std::size_t last_value_bytes() const noexcept { return last_value_bytes_; }

 private:
  /// A request that is being answered.
  struct Asked {
    std::string text;
    Request request;
    History::Range left = {};  ///< With LateJoin::last_value: numbers of streams.
  };
  using AllAsked = std::list<Asked>;

  void on_request(std::string_view text, bool on, TimePoint now);
  void ask(std::string_view text, const Request& request);
  void withdraw(std::string_view text);
  /// The next kept message that answers it; null: none is left.
  Frame* next_kept(Asked& asked);
  Frame* next_last_value(const TopicPattern& pattern, History::Range& streams);
  Welcome welcome(const Presence& presence) const;
  Fetched fetched(const Fetch& fetch) const;
  std::string heads();
  void keep_last_value(Stream& stream, Header header, std::string_view last,
                       const Headers& last_headers);
  void drop_last_value(Stream& stream);
  void forget_a_stream();

  PublisherProtocolOptions options_;
  History history_;
  using Streams = std::list<Stream>;
  Streams streams_;  ///< The last used first: most traffic repeats its topic.
  std::unordered_map<std::string_view, Streams::iterator> by_key_;
  std::map<std::uint32_t, Stream*> by_number_;
  std::list<Stream*> last_values_;  ///< Those that have one, the last used first.
  std::size_t last_value_bytes_ = 0;
  std::uint32_t next_stream_ = 1;
  struct Made {
    std::size_t times = 0;
    TimePoint last{};
  };
  std::map<std::string, Made, std::less<>> subscriptions_;
  std::map<std::string, Presence, std::less<>> presences_;  ///< By the request's own text.
  AllAsked asked_;                                          ///< Whose turn it is, first.
  std::unordered_map<std::string_view, AllAsked::iterator> asked_by_text_;
  HeadsSchedule heads_;
  TimePoint expire_due_ = TimePoint::min();
};

}  // namespace protocol
}  // namespace busbar

/// The puller's side of credit-based work: a pure machine.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <busbar/core/clock.hpp>
#include <busbar/core/multipart.hpp>
#include <busbar/protocol/dispatcher.hpp>
#include <busbar/protocol/header.hpp>
#include <busbar/protocol/work_codec.hpp>

namespace busbar::protocol {

struct IntakeOptions {
  std::string name = {};      ///< Tells pushers who it is; at most work_text_bytes.
  std::uint32_t credit = 10;  ///< Messages held at a time, whatever the number of pushers.
  std::chrono::milliseconds heartbeat{1000};
  /// Numbers that no other puller draws: random in production. Never 0.
  std::function<std::uint64_t()> draw = {};
};

/// received = taken + waiting + dropped + duplicates.
/// taken = done + failed + late + held (done counts what needs no acknowledgement, too).
struct IntakeCounts {
  std::uint64_t received = 0;  ///< Messages, those of a batch one by one.
  std::uint64_t taken = 0;
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
  std::uint64_t late = 0;  ///< Settled when the pusher had given it to another one already.
  /// Not taken: the pusher gave it to another one, or it was returned on leaving.
  std::uint64_t dropped = 0;
  std::uint64_t duplicates = 0;  ///< Redelivered, but held or done here already.
  std::uint64_t waiting = 0;
  std::uint64_t held = 0;       ///< Taken and not settled.
  std::uint64_t malformed = 0;  ///< Messages that are not of this protocol, or break it.
  std::size_t pushers = 0;
};

/// Announces its credit to every pusher in equal parts, keeps what they send until it is taken, and
/// answers when it is settled. Remembers what was done of late, so that it is not done again.
class Intake {
 public:
  /// One message that was taken.
  struct Item {
    std::shared_ptr<const Multipart> frames;
    std::string_view payload;   ///< In `frames`.
    Header header = {};         ///< Of this message: its own number and user headers.
    std::uint32_t attempt = 0;  ///< 0: needs no acknowledgement.
    std::uint64_t ticket = 0;   ///< For settle; 0: it is settled already.
  };

  explicit Intake(IntakeOptions options);

  void connected(const Address& address);
  void disconnected(const Address& address);
  void unreachable(const Address& address) { forget(address); }

  /// Takes the frames where they carry work.
  void on_message(const Address& from, Multipart& frames, TimePoint now);
  /// Due at next_deadline.
  void on_time(TimePoint now);
  TimePoint next_deadline() const noexcept { return deadline_; }
  /// The next message to send; false: none for now.
  bool next(Outgoing& out);
  bool anything_to_send() const noexcept { return !greetings_.empty() || !answering_.empty(); }

  bool anything_to_take() const noexcept { return !waiting_.empty(); }
  std::optional<Item> take();
  /// Of a ticket that was settled before, nothing. `reason`: at most work_text_bytes are kept.
  void settle(std::uint64_t ticket, Verdict verdict, std::string_view reason = {});
  /// Announces another credit; 0: nothing is wanted for now.
  void set_credit(std::uint32_t credit);
  /// Gives back what was not taken, and takes no more. What is held may still be settled.
  void close();
  /// Says goodbye to all pushers once `next` has given the answers.
  void leave();

  IntakeCounts counts() const noexcept;

 private:
  struct Failure {
    std::uint64_t delivery;
    Verdict verdict;
    std::string reason;
  };
  struct Pusher {
    Address address;
    std::uint64_t worker = 0;  ///< Who we are to it.
    std::uint64_t session = 0;
    std::uint64_t id = 0;            ///< 0: it has not said anything yet.
    std::uint64_t registration = 0;  ///< 0: none.
    std::uint64_t handed = 0;        ///< Work messages received.
    std::uint64_t answers = 0;       ///< Answers sent.
    std::chrono::milliseconds expiry{0};
    TimePoint heard{};
    std::vector<Run> done = {};
    std::vector<Run> returned = {};
    std::deque<Failure> failed = {};
    std::uint64_t out = 0;   ///< Messages of it that are not answered.
    bool answering = false;  ///< Is in answering_.
    bool greeting = false;   ///< Is in greetings_.
    bool endpoint = false;   ///< One that we connect to: stays, though it may be silent.
    bool reachable = true;
  };
  using Link = std::shared_ptr<Pusher>;
  struct Origin {  ///< Where the answer goes.
    Link pusher;
    std::uint64_t id = 0;
    std::uint64_t registration = 0;
    std::uint64_t delivery = 0;
    std::uint64_t number = 0;  ///< The pusher's number of the message.
  };
  /// What one work message brought, as far as it was not taken: unpacked only then.
  struct Bundle {
    std::shared_ptr<const Multipart> frames;
    Origin origin;  ///< Of its next message; those of the others count up.
    std::uint64_t time = 0;
    std::uint32_t attempt = 0;
    std::uint32_t left = 1;
    std::optional<BatchReader> records = {};
    Headers headers = {};  ///< Of one that is no batch.
  };
  struct Held {
    Origin origin;
    std::uint32_t use = 0;  ///< A ticket is good for one of them.
    bool taken = false;
  };
  struct Finished {
    std::uint64_t pusher = 0;
    std::uint64_t number = 0;
  };

  Link link(const Address& address, TimePoint now);
  void on(const Address& from, const Alive& alive, TimePoint now);
  void on(const Address& from, const Hand& hand, Multipart& frames, TimePoint now);
  void accept(const Link& pusher, const Hand& hand, Header header, Multipart& frames);
  void add(Bundle bundle);
  static Bundle split(Bundle& bundle, std::uint32_t count);
  static Item next_of(Bundle& bundle);
  bool known(const Origin& origin);
  bool known_waiting(const Origin& origin);
  void begin_anew(const Link& pusher);
  void forget_registration(const Link& pusher);
  void forget(const Address& address);
  void on_goodbye(const Address& from);
  void answer(const Origin& origin, Verdict verdict, std::string_view reason = {},
              std::uint32_t messages = 1);
  void remember(const Origin& origin);
  bool next_greeting(Outgoing& out);
  bool next_answer(Pusher& pusher, Outgoing& out);
  void greet(const Link& pusher);
  void greet_all();
  Ready ready(const Pusher& pusher) const;

  IntakeOptions options_;
  std::unordered_map<Address, Link> pushers_;
  std::deque<Link> greetings_;
  std::deque<Link> answering_;
  std::deque<Bundle> waiting_;
  std::vector<Held> held_;
  std::vector<std::uint32_t> free_;
  std::vector<Finished> finished_;
  std::size_t next_finished_ = 0;
  IntakeCounts counts_;  ///< But for held and pushers.
  std::size_t registered_ = 0;
  std::uint32_t credit_ever_ = 0;  ///< The most that was announced; more is no honest pusher's.
  TimePoint beat_ = TimePoint::min();
  TimePoint looked_ = TimePoint::min();
  TimePoint deadline_ = TimePoint::min();
  bool closed_ = false;
  bool leaving_ = false;
};

}  // namespace busbar::protocol

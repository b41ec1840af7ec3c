/// What pushers and pullers say to each other beside the payloads. lib/WIRE.md specifies it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace busbar::protocol {

/// The first byte of the first frame of all of them.
inline constexpr char work_signature = '\xBD';
inline constexpr std::uint64_t work_version = 1;
/// What a puller may announce at most; more is taken for this.
inline constexpr std::uint32_t credit_max = 1'000'000;
/// Longest name of a puller and reason of a failure, in bytes; more is refused.
inline constexpr std::size_t work_text_bytes = 240;

/// Puller to pusher, again and again: here I am, and so much may be out with me.
struct Ready {
  std::uint64_t worker = 0;   ///< Drawn at random for each connection's way to a pusher.
  std::uint64_t session = 0;  ///< One more whenever the puller wants to be registered anew.
  std::uint32_t credit = 0;   ///< Messages that may be unanswered at a time.
  std::chrono::milliseconds expiry{0};  ///< Silent for longer, it is dead.
  std::uint64_t registration = 0;       ///< The pusher's number for this session; 0: unknown yet.
  std::uint64_t answers = 0;            ///< Answers sent under that registration.
  std::string name = {};
};

/// Pusher to puller, again and again: I am here, and this is how I know you.
struct Alive {
  std::uint64_t pusher = 0;
  std::uint64_t session = 0;            ///< The puller's, as registered; 0: none is.
  std::uint64_t registration = 0;       ///< Rises with each one of the pusher.
  std::chrono::milliseconds expiry{0};  ///< Silent for longer, it is dead.
  std::uint64_t handed = 0;             ///< Work messages sent under the registration.
};

/// Pusher to puller, in front of a header and a payload: messages to be worked on.
struct Hand {
  std::uint64_t registration = 0;
  std::uint64_t number = 0;    ///< Of this work message under the registration, from 1.
  std::uint64_t delivery = 0;  ///< Of the (first) message; those of a batch count up from it.
  std::uint32_t attempt = 0;   ///< From 1; 0: an answer when it is taken, none when it is done.
};

enum class Verdict : std::uint8_t {
  done,
  failed,    ///< Worked on in vain: it counts as an attempt.
  returned,  ///< Not worked on.
  died,      ///< Failed, because the worker behind a device died with it.
};

/// `count` deliveries from `first` on.
struct Run {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  friend bool operator==(const Run&, const Run&) = default;
};

/// Puller to pusher: what became of deliveries.
struct Answer {
  std::uint64_t pusher = 0;
  std::uint64_t registration = 0;
  std::uint64_t number = 0;  ///< Of this answer under the registration, from 1.
  Verdict verdict = Verdict::done;
  std::vector<Run> runs = {};
  std::string reason = {};  ///< failed: in the user's words; may be empty.
};

/// Either side: I am leaving.
struct Goodbye {
  std::uint64_t who = 0;  ///< The worker or the pusher.
};

using WorkMessage = std::variant<Ready, Alive, Hand, Answer, Goodbye>;

/// Writes the frame. Requires texts of at most work_text_bytes.
std::string encode(const WorkMessage& message);
inline constexpr std::size_t short_hand_max = 40;
/// Writes it without allocating; answers its size.
std::size_t encode_short(const Hand& hand, char (&into)[short_hand_max]) noexcept;

/// Empty: not such a frame, of another version, of an unknown kind, or broken. Fields behind those
/// that are known are passed over.
std::optional<WorkMessage> decode_work(std::string_view frame);

/// Adds deliveries behind those that are there, as a run of their own only where it must.
void append(std::vector<Run>& runs, std::uint64_t first, std::uint64_t count = 1);

}  // namespace busbar::protocol

/// The frame by which requesters and repliers know a request. lib/WIRE.md specifies it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <busbar/core/multipart.hpp>

namespace busbar::protocol {

/// The first byte of all of them.
inline constexpr char request_signature = '\xBE';
inline constexpr std::uint64_t request_version = 1;
/// Longest name of a method, in bytes; more is refused.
inline constexpr std::size_t method_bytes = 240;
/// Requests or answers in one message at most.
inline constexpr std::uint32_t batch_max = 1000;
/// And bytes of theirs; what is larger goes alone.
inline constexpr std::size_t batch_bytes = 64u << 10;
/// The longest that a request may wait for its reply.
inline constexpr std::chrono::milliseconds deadline_max{24 * 60 * 60 * 1000};

/// Who asks, and which of its requests this is.
struct RequestKey {
  std::uint64_t requester = 0;  ///< Random, not 0; drawn when the requester starts.
  std::uint64_t number = 0;     ///< Of the requester's, from 1; the same for each attempt.
  friend bool operator==(const RequestKey&, const RequestKey&) = default;
};

/// Requester to replier, in a frame of its own; stock REP gives it back, byte for byte.
struct RequestHead {
  RequestKey key = {};
  std::chrono::milliseconds left{0};  ///< Until its deadline, when it was sent.
  std::uint64_t sent = 0;             ///< When, by its clock: UTC in ms; the low 32 bits count.
  bool idempotent = false;            ///< May be done more than once.
  bool tell_me = false;               ///< Answer with TakenHead as well: the requester is new here.
  bool wanted = false;                ///< Our clocks differ: take it as having come at once.
  std::string_view method = {};
};

enum class FailureStatus : std::uint8_t {
  failed = 1,   ///< The handler threw; it has begun.
  abandoned,    ///< The handler let go of it without an answer; it has begun.
  refused,      ///< No such method, or a body that it does not take.
  expired,      ///< Its deadline had passed before it was begun.
  unavailable,  ///< Not begun, and never will be here: another server may do it.
  forgotten,    ///< It came too late to be told from those that were begun.
};

/// Replier to requester; the payload stands behind it in the same frame, as libzmq takes as long
/// for each frame as for all else that it does with a small message.
struct ReplyHead {
  RequestKey key = {};
};

/// Replier to requester; the reason, as text, stands behind it in the same frame.
struct FailureHead {
  RequestKey key = {};
  FailureStatus status = FailureStatus::failed;
  std::uint8_t kind = 0;  ///< ErrorKind; 0: not known.
};

/// Requester to replier: nobody waits for it any more.
struct CancelHead {
  RequestKey key = {};
};

/// Replier to requester, beside the reply.
struct TakenHead {
  RequestKey key = {};
  bool direct = false;  ///< Nothing is between them: what is sent on this connection arrives here.
};

/// In front of several requests in one message, each a correlation and a payload, as msgpack
/// binaries in the same frame; or of several answers, each a binary. There is no body.
struct BatchHead {
  RequestKey key = {};      ///< The first one's.
  std::uint32_t count = 0;  ///< 1 to batch_max.
};

using Correlation =
    std::variant<RequestHead, ReplyHead, FailureHead, CancelHead, TakenHead, BatchHead>;

/// Requires a method of at most method_bytes.
Frame encode(const RequestHead& head);
Frame encode(const ReplyHead& head, std::string_view payload = {});
Frame encode(const FailureHead& head, std::string_view reason = {});
Frame encode(const CancelHead& head);
Frame encode(const TakenHead& head);
Frame encode(const BatchHead& head, std::string_view records = {});
/// What stands behind a BatchHead.
void append_request(std::string& records, const Frame& correlation, const Frame& payload);

/// Empty: no such frame, of another version, of an unknown kind, or broken. Elements behind those
/// that are known are passed over. Views refer to the frame. `behind` is set to what stands there
/// behind the head.
std::optional<Correlation> decode_correlation(std::string_view frame,
                                              std::string_view& behind) noexcept;
inline std::optional<Correlation> decode_correlation(std::string_view frame) noexcept {
  std::string_view behind;
  return decode_correlation(frame, behind);
}

}  // namespace busbar::protocol

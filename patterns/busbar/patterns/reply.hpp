/// What comes of a request.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <busbar/core/codec.hpp>
#include <busbar/core/error.hpp>
#include <busbar/core/multipart.hpp>
#include <busbar/protocol/requester_protocol.hpp>

namespace busbar {

/// A request that was not replied to, as PendingReply::get throws it. Its kind is that of the
/// replier's own Error where a handler threw one; timeout where it expired; unreachable where no
/// server was there or the connection was lost; else refused.
class RequestError : public Error {
 public:
  RequestError(Outcome outcome, ErrorKind kind, std::string operation, std::string cause,
               std::string remedy)
      : Error(kind, std::move(operation), std::move(cause), std::move(remedy)), outcome_(outcome) {}
  Outcome outcome() const noexcept { return outcome_; }

 private:
  Outcome outcome_;
};

/// Move-only. Views live as long as the reply stays where it is.
class Reply {
 public:
  Reply() = default;
  explicit Reply(protocol::RequesterProtocol::Finished finished) : finished_(std::move(finished)) {}

  Outcome outcome() const noexcept { return finished_.outcome; }
  bool ok() const noexcept { return finished_.outcome == Outcome::replied; }
  /// Empty where it was not replied to.
  std::string_view payload() const noexcept { return ok() ? finished_.text() : ""; }
  /// Frames behind the payload: only stock programs send such replies.
  std::span<const Frame> further() const noexcept {
    return {finished_.further.begin(), finished_.further.size()};
  }
  /// failed and refused: why, in the replier's words; no_peer: why none is there, where that is
  /// known; else empty.
  std::string_view reason() const noexcept { return ok() ? "" : finished_.text(); }
  const std::string& method() const noexcept { return finished_.method; }

  /// Throws RequestError unless it was replied to.
  void check() const;
  /// The payload as T: unpacked from msgpack, a std::string or std::string_view (which lives as
  /// long as views do) as it is, void: not looked at. Throws RequestError, and Error (refused) as
  /// `unpack` does.
  template <class T>
  T as() const {
    check();
    if constexpr (!std::is_void_v<T>) return value_of<T>(payload());
  }

 private:
  protocol::RequesterProtocol::Finished finished_ = {.outcome = Outcome::cancelled};
};

}  // namespace busbar

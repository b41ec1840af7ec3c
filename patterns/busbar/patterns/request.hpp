/// What a replier is asked.
#pragma once

#include <chrono>
#include <concepts>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <busbar/core/codec.hpp>
#include <busbar/core/error.hpp>
#include <busbar/protocol/replier_protocol.hpp>

namespace busbar {

namespace detail {
class ReplyLoop;
}

/// One request. Move-only. It is answered once: by `reply`, by `fail`, or as abandoned when it is
/// destroyed without; in any thread, also after its replier is gone, which has no effect then.
/// Views live until it is answered or moved; afterwards they are empty.
class Request {
 public:
  Request(std::shared_ptr<detail::ReplyLoop> loop, protocol::ReplierProtocol::Job job)
      : loop_(std::move(loop)), job_(std::move(job)) {}
  Request(Request&& other) noexcept = default;
  Request& operator=(Request&& other) noexcept;
  ~Request();

  /// What is to be done. Of a stock requester: its first frame, of two or more; else empty.
  std::string_view method() const noexcept { return loop_ ? job_.method : std::string_view{}; }
  std::string_view payload() const noexcept {
    return loop_ ? job_.frames.text(job_.payload) : std::string_view{};
  }
  /// Frames behind the payload: only stock programs send such requests.
  std::span<const Frame> further() const noexcept {
    if (!loop_) return {};
    return {job_.frames.begin() + job_.payload + 1, job_.frames.end()};
  }
  /// The payload as T, unpacked from msgpack; a std::string as it is. Throws Error (refused) as
  /// `unpack` does.
  template <class T>
  T as() const {
    return value_of<T>(payload());
  }
  /// Until its deadline: give it on with whatever is asked for its sake. Of a stock requester's a
  /// day.
  std::chrono::milliseconds left() const noexcept;
  /// Nobody waits for the answer any more: told by the requester, or its deadline has passed. Looks
  /// whether such news came. Never from a queue's far side, where only the deadline is known.
  bool cancelled() const;

  /// Never blocks. No effect where it was answered. A reply above limits::message_bytes, less the
  /// few bytes of a head, has failed: its requester is told so, and ReplierLedger::failed counts
  /// it. An answer to one of a batch goes with the batch's last, or after 4 ms.
  void reply(std::string_view payload);
  template <class T>
  requires(!std::convertible_to<const T&, std::string_view>) void reply(const T& value) {
    reply(std::string_view{pack(value)});
  }
  /// Tells that it failed: `reason`, and a kind for the Error that it becomes at the requester. A
  /// reason has less than limits::message_bytes, or it is not sent; an Error shows 1,000 bytes of
  /// it. It may be a part of the request.
  void fail(std::string_view reason, ErrorKind kind = ErrorKind::refused);
  /// Tells that it was not begun, as it is not what this method takes. `reason` as with `fail`.
  void refuse(std::string_view reason);

 private:
  friend class detail::ReplyLoop;
  std::shared_ptr<detail::ReplyLoop> loop_;
  protocol::ReplierProtocol::Job job_;
};

}  // namespace busbar

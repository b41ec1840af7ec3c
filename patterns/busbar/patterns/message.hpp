/// What a subscriber, a puller or a replier is given.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <busbar/core/codec.hpp>
#include <busbar/core/multipart.hpp>
#include <busbar/protocol/header.hpp>

namespace busbar {

/// One received message. Messages of one batch share its bytes, so copying and moving one is cheap
/// and none keeps more than its batch alive. Views live as long as the message, or a copy of it.
/// A const message may be read by several threads.
class Message {
 public:
  /// `topic` and `payload` must live as long as what `owner` owns.
  Message(std::shared_ptr<const void> owner, std::string_view topic, std::string_view payload)
      : owner_(std::move(owner)), topic_(topic), payload_(payload) {}

  /// As it was published; empty where it is work.
  std::string_view topic() const noexcept { return topic_; }
  /// The bytes as they were sent, packed or not; see `as`.
  std::string_view payload() const noexcept { return payload_; }
  /// Frames behind the payload: only stock programs send such messages.
  std::span<const Frame> further() const noexcept { return further_; }
  /// They must live as long as what the owner owns.
  void set_further(std::span<const Frame> frames) noexcept { further_ = frames; }
  /// The payload as T; see `value_of`.
  template <class T>
  T as() const {
    return value_of<T>(payload_);
  }

  const Headers& headers() const noexcept;
  /// The value of the first header of that name; empty where there is none.
  std::string_view header(std::string_view name) const noexcept;
  void set_headers(Headers headers);

  /// The publisher's id; 0 where the message came without a Busbar header (wire = plain).
  std::uint64_t publisher() const noexcept { return publisher_; }
  /// The number by which the publisher knows the stream, from 1: another one for each topic, and
  /// for each name of a stream within it. The name itself does not travel. 0 where there is none.
  std::uint32_t stream() const noexcept { return stream_; }
  /// The number in its publisher's stream, from 1; 0 without a Busbar header.
  std::uint64_t sequence() const noexcept { return sequence_; }
  /// When it was sent, by the sender's clock; the epoch without a Busbar header.
  std::chrono::system_clock::time_point time() const noexcept;
  /// Sets what the header says. `sequence` is that of this message, not of its batch.
  void set_origin(const protocol::Header& header, std::uint64_t sequence) noexcept;
  /// Turns it into another one of the same batch, which costs no more than that.
  void move_on(std::string_view payload, std::uint64_t sequence) noexcept {
    payload_ = payload;
    sequence_ = sequence;
  }

 private:
  std::shared_ptr<const void> owner_;
  std::string_view topic_;
  std::string_view payload_;
  std::span<const Frame> further_ = {};
  std::shared_ptr<const Headers> headers_;
  std::uint64_t publisher_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t time_ = 0;
  std::uint32_t stream_ = 0;
};

}  // namespace busbar

/// A ZeroMQ message of several frames, owned.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include <zmq.hpp>

namespace busbar {

/// One frame; moving it moves no bytes, and frames above 33 bytes are shared when copied.
using Frame = zmq::message_t;

/// The bytes of a frame, valid as long as the frame is neither sent, moved nor changed.
inline std::string_view text(const Frame& frame) noexcept {
  return {static_cast<const char*>(frame.data()), frame.size()};
}

/// An owned multipart message. `clear` and being sent keep the slots, so a loop that reuses one
/// Multipart allocates nothing for each message. Not thread-safe; movable.
class Multipart {
 public:
  Multipart() = default;
  /// Copies each text into a frame of its own.
  Multipart(std::initializer_list<std::string_view> frames);
  Multipart(Multipart&& other) noexcept : slots_(std::move(other.slots_)), size_(other.size_) {
    other.size_ = 0;
  }
  Multipart& operator=(Multipart&& other) noexcept;

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  /// There is something in it to reuse.
  bool has_slots() const noexcept { return !slots_.empty(); }
  Frame& operator[](std::size_t i) noexcept { return slots_[i]; }
  const Frame& operator[](std::size_t i) const noexcept { return slots_[i]; }
  Frame* begin() noexcept { return slots_.data(); }
  Frame* end() noexcept { return slots_.data() + size_; }
  const Frame* begin() const noexcept { return slots_.data(); }
  const Frame* end() const noexcept { return slots_.data() + size_; }
  /// The bytes of frame `i`; see text(Frame).
  std::string_view text(std::size_t i) const noexcept { return busbar::text(slots_[i]); }
  /// All frames' bytes together.
  std::size_t bytes() const noexcept {
    std::size_t sum = 0;
    for (const Frame& frame : *this) sum += frame.size();
    return sum;
  }

  void push_back(Frame frame);
  void push_back(std::string_view bytes) {
    Frame& frame = grow();
    // cppzmq copies from where an empty view points to, which may be nowhere.
    bytes.empty() ? frame.rebuild() : frame.rebuild(bytes.data(), bytes.size());
  }
  void push_front(Frame frame);
  void push_front(std::string_view bytes) { push_front(Frame{bytes.data(), bytes.size()}); }
  /// Replaces frame `i` by a copy of `bytes`, which may be a part of that frame.
  void replace(std::size_t i, std::string_view bytes) {
    slots_[i] = Frame{bytes.data(), bytes.size()};
  }
  /// Takes the first frame off. Requires !empty().
  Frame pop_front();
  /// The slot behind the last frame, made part of the message: for receiving into.
  Frame& grow() {
    if (size_ == slots_.size()) add_slot();
    return slots_[size_++];
  }
  /// Takes the last frame off, releasing its bytes.
  void pop_back();
  /// Releases the bytes and keeps the slots.
  void clear() noexcept {
    for (Frame& frame : *this) frame.rebuild();
    size_ = 0;
  }
  /// All frames are gone to ZeroMQ, which left their slots empty.
  void mark_sent() noexcept { size_ = 0; }
  /// A second message with the same frames; large ones share their bytes (zmq_msg_copy(3)).
  Multipart copy();

 private:
  void add_slot();

  std::vector<Frame> slots_;
  std::size_t size_ = 0;
};

}  // namespace busbar

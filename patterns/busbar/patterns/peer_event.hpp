/// What a Peer hears of the others.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <busbar/core/codec.hpp>
#include <busbar/core/multipart.hpp>
#include <busbar/protocol/zre.hpp>

namespace busbar {

/// Copies share the payload.
struct PeerEvent {
  enum class Kind {
    enter,    ///< It is there, and can be spoken to. `headers` and `endpoint` are set.
    evasive,  ///< Not heard of for a while; it may come back, or exit.
    exit,     ///< It left, or was silent for too long, or broke the protocol.
    join,     ///< It is in `group` now; also for each group that it was in when it entered.
    leave,    ///< It left `group`.
    whisper,  ///< It sent `payload` to us.
    shout,    ///< It sent `payload` to `group`.
  };
  Kind kind = Kind::enter;
  PeerId peer = {};
  std::string name = {};
  std::string group = {};
  std::string endpoint = {};
  Headers headers = {};
  std::shared_ptr<const Multipart> message = {};  ///< Its first frame is ZRE's own.

  /// whisper, shout: the first frame of the content; empty where there is none.
  std::string_view payload() const noexcept {
    return message && message->size() > 1 ? message->text(1) : std::string_view{};
  }
  /// All frames of the content, where a foreign peer sent several.
  std::span<const Frame> frames() const noexcept {
    if (!message) return {};
    return {message->begin() + 1, message->size() - 1};
  }
  /// The payload as T, unpacked from msgpack. Throws Error (refused) as `unpack` does.
  template <class T>
  T as() const {
    return value_of<T>(payload());
  }
};

/// `enter`, `evasive`, ….
std::string_view name_of(PeerEvent::Kind kind) noexcept;

}  // namespace busbar

/// What Busbar's peers say to each other beside RFC 36, in a form that no foreign node ever gets:
/// a WHISPER of two frames, to peers whose HELLO has the header `X-BUSBAR`. See lib/WIRE.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <busbar/protocol/zre.hpp>

namespace busbar::protocol::zre {

/// The first frame of such a WHISPER.
inline constexpr std::string_view note_signature =
    "\xBE"
    "BUSBAR";
/// Names of headers with these bytes in front are Busbar's own.
inline constexpr std::string_view reserved_header = "X-BUSBAR";
/// `first`, or `answer`: the sender has our HELLO, and needs no other one.
inline constexpr std::string_view version_header = "X-BUSBAR";
/// Where we were asked at, in the HELLO to a configured endpoint and in the answer to it.
inline constexpr std::string_view contact_header = "X-BUSBAR-CONTACT";
/// And a name behind it: endpoints with a space between.
inline constexpr std::string_view offer_header = "X-BUSBAR-OFFER-";

struct KnownNode {
  PeerId id;
  std::string endpoint = {};
  std::string key = {};  ///< Public key in Z85; empty: none.
  friend bool operator==(const KnownNode&, const KnownNode&) = default;
};

struct Ask {};  ///< Tell me whom you know, and whom you get to know.
struct Known {
  std::vector<KnownNode> nodes = {};
};
/// The sender's headers from now on, all of them.
struct NewHeaders {
  Headers headers = {};
};
using Note = std::variant<Ask, Known, NewHeaders>;

/// The second frame.
std::string encode(const Note& note);
/// Empty: no such frame, of another version, of an unknown kind, or broken. Elements behind those
/// that are known are passed over.
std::optional<Note> decode_note(std::string_view frame);

}  // namespace busbar::protocol::zre

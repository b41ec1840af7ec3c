#include "fuzz/peer_targets.hpp"

#include "fuzz/targets.hpp"

#include <busbar/protocol/zre.hpp>
#include <busbar/protocol/zre_note.hpp>

namespace busbar::fuzz {

using namespace protocol::zre;

/// A beacon that is taken encodes to itself; a message to a frame that says the same and is no
/// longer than what came; so does a note.
void zre(std::string_view bytes) {
  if (const auto beacon = decode_beacon(bytes)) {
    check(encode(*beacon) == bytes, "a beacon changed");
  }
  if (const auto message = decode(bytes)) {
    const std::string once = encode(*message);
    check(once.size() <= bytes.size(), "a message grew");
    const auto again = decode(once);
    check(again && again->body.index() == message->body.index(), "a message became another one");
    check(encode(*again) == once, "a message changed");
  }
  if (const auto note = decode_note(bytes)) {
    const std::string once = encode(*note);
    const auto again = decode_note(once);
    check(again && encode(*again) == once, "a note changed");
  }
}

std::vector<std::string> zre_seeds() {
  PeerId id;
  id.bytes[0] = 7;
  const Hello hello{.endpoint = "tcp://127.0.0.1:49152",
                    .groups = {"a", "b"},
                    .status = 2,
                    .name = "name",
                    .headers = {{"role", "meter"}, {"", ""}}};
  return {encode(Beacon{id, 49152}),
          encode(Message{1, hello}),
          encode(Message{2, Shout{"a"}}),
          encode(Message{3, Join{"a", 3}}),
          encode(Message{4, Ping{}}),
          encode(Note{Ask{}}),
          encode(Note{Known{{{id, hello.endpoint, ""}}}}),
          encode(Note{NewHeaders{hello.headers}})};
}

}  // namespace busbar::fuzz

// Every vector of tests/vectors/zre.txt, both ways, and what vectors cannot say.
#include "support/vectors.hpp"

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/protocol/zre.hpp>
#include <busbar/protocol/zre_note.hpp>

using namespace busbar;
using namespace busbar::protocol::zre;

namespace {

using Vector = std::multimap<std::string, std::string>;

std::string text(const Vector& vector, const std::string& key) {
  REQUIRE(vector.count(key) == 1);
  return vector.find(key)->second;
}
template <class Number>
Number number(const Vector& vector, const std::string& key) {
  return static_cast<Number>(std::stoul(text(vector, key)));
}
std::vector<std::string> all(const Vector& vector, const std::string& key) {
  std::vector<std::string> values;
  const auto [first, last] = vector.equal_range(key);
  for (auto one = first; one != last; ++one) values.push_back(one->second);
  return values;
}
Headers headers_of(const Vector& vector) {
  Headers headers;
  for (const std::string& line : all(vector, "header")) {
    const std::size_t space = line.find(' ');
    headers.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return headers;
}
std::string frame_of(const Vector& vector) {
  const std::string hex = text(vector, "frame");
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::vector<Vector> read_vectors() {
  std::ifstream file{vectors_folder + "/zre.txt"};
  std::vector<Vector> vectors(1);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    if (line.empty()) {
      if (!vectors.back().empty()) vectors.emplace_back();
      continue;
    }
    const std::size_t space = line.find(' ');
    vectors.back().emplace(line.substr(0, space), line.substr(space + 1));
  }
  if (vectors.back().empty()) vectors.pop_back();
  return vectors;
}

Body body_of(const std::string& kind, const Vector& vector) {
  if (kind == "hello") {
    return Hello{.endpoint = text(vector, "endpoint"),
                 .groups = all(vector, "group"),
                 .status = number<std::uint8_t>(vector, "status"),
                 .name = text(vector, "node"),
                 .headers = headers_of(vector)};
  }
  if (kind == "whisper") return Whisper{};
  if (kind == "shout") return Shout{text(vector, "group")};
  if (kind == "join") return Join{text(vector, "group"), number<std::uint8_t>(vector, "status")};
  if (kind == "leave") return Leave{text(vector, "group"), number<std::uint8_t>(vector, "status")};
  if (kind == "ping") return Ping{};
  if (kind == "ping_ok") return PingOk{};
  if (kind == "goodbye") return Goodbye{};
  FAIL("no such kind: " << kind);
  return Ping{};
}

Note note_of(const std::string& kind, const Vector& vector) {
  if (kind == "note_ask") return Ask{};
  if (kind == "note_headers") return NewHeaders{headers_of(vector)};
  Known known;
  for (const std::string& line : all(vector, "node_known")) {
    const std::size_t space = line.rfind(' ');
    known.nodes.push_back(
        {*PeerId::parse(line.substr(0, 32)), line.substr(33, space - 33), line.substr(space + 1)});
  }
  return known;
}

void check_vector(const Vector& vector) {
  const std::string kind = text(vector, "kind");
  const std::string frame = frame_of(vector);
  if (kind == "beacon") {
    const Beacon beacon{*PeerId::parse(text(vector, "id")), number<std::uint16_t>(vector, "port")};
    CHECK(encode(beacon) == frame);
    const auto decoded = decode_beacon(frame);
    REQUIRE(decoded);
    CHECK(decoded->id == beacon.id);
    CHECK(decoded->port == beacon.port);
  } else if (kind == "refused_beacon") {
    CHECK_FALSE(decode_beacon(frame));
  } else if (kind == "refused") {
    CHECK_FALSE(decode(frame));
  } else if (kind == "refused_note") {
    CHECK_FALSE(decode_note(frame));
  } else if (kind.starts_with("note_")) {
    const Note note = note_of(kind, vector);
    CHECK(encode(note) == frame);
    const auto decoded = decode_note(frame);
    REQUIRE(decoded);
    CHECK(encode(*decoded) == frame);
  } else {
    const auto decoded = decode(frame);
    REQUIRE(decoded);
    CHECK(decoded->sequence == number<std::uint16_t>(vector, "sequence"));
    if (kind == "read_election") CHECK(std::holds_alternative<Election>(decoded->body));
    if (kind == "read_ping") CHECK(std::holds_alternative<Ping>(decoded->body));
    if (kind.starts_with("read_")) return;
    CHECK(encode(*decoded) == frame);
    const Message message{decoded->sequence, body_of(kind, vector)};
    CHECK(encode(message) == frame);
    CHECK(decoded->body.index() == message.body.index());
  }
}

}  // namespace

TEST_CASE("the vectors of ZRE are encoded, decoded and refused as they stand") {
  const auto vectors = read_vectors();
  CHECK(vectors.size() == 39);
  for (const Vector& vector : vectors) {
    const std::string name = text(vector, "name");
    CAPTURE(name);
    check_vector(vector);
  }
}

TEST_CASE("a peer's id is shown as 32 digits, read in either case, and nothing else is one") {
  const PeerId id = PeerId::random();
  CHECK(id != PeerId::random());
  CHECK(PeerId::parse(id.str()) == id);
  CHECK(PeerId::parse("000102030405060708090a0b0c0d0e0f")->str() ==
        "000102030405060708090A0B0C0D0E0F");
  CHECK_FALSE(PeerId::parse("000102030405060708090a0b0c0d0e0"));
  CHECK_FALSE(PeerId::parse("g00102030405060708090a0b0c0d0e0f"));
  CHECK(id_of(routing_id(id)) == id);
  CHECK_FALSE(id_of(std::string{"\0abcd", 5}));
  CHECK_FALSE(id_of("\2" + std::string{id.octets()}));
}

TEST_CASE("a sequence goes round at 65535, and Pyre's one earlier") {
  CHECK(follows(1, 2));
  CHECK(follows(65534, 65535));
  CHECK(follows(65535, 0));
  CHECK(follows(65534, 0));
  CHECK_FALSE(follows(1, 1));
  CHECK_FALSE(follows(1, 3));
  CHECK_FALSE(follows(65533, 0));
}

TEST_CASE("a HELLO that is too large to keep is refused") {
  Hello hello{.headers = {{"x", std::string(hello_bytes, 'x')}}};
  CHECK_FALSE(decode(encode(Message{1, hello})));
  hello.headers = {{"x", std::string(hello_bytes / 2, 'x')}};
  CHECK(decode(encode(Message{1, hello})));
}

// Every vector of tests/vectors/majordomo.txt is read by our decoder, and what stands in front of a
// subject written by our encoder. The rest is written by those who speak: see the tests of devices
// and of patterns.
#include "support/vectors.hpp"

#include <doctest/doctest.h>

#include <busbar/protocol/majordomo.hpp>
#include <busbar/protocol/pirate.hpp>

using namespace busbar;
using namespace busbar::protocol;
using majordomo::Command, majordomo::Role, majordomo::Version;

namespace {

Multipart frames_of(const TestVector& vector) {
  Multipart frames{"routing id"};
  for (const std::string& frame : vector.bytes("frame")) frames.push_back(frame);
  return frames;
}

std::vector<std::string> texts(const Multipart& frames, std::size_t first) {
  std::vector<std::string> all;
  for (std::size_t i = first; i < frames.size(); ++i) all.emplace_back(frames.text(i));
  return all;
}

Command command_named(const std::string& name) {
  const std::vector<std::string> names{"ready", "request",   "partial",
                                       "final", "heartbeat", "disconnect"};
  return static_cast<Command>(std::find(names.begin(), names.end(), name) - names.begin());
}

void check_majordomo(const TestVector& vector) {
  const Multipart frames = frames_of(vector);
  const auto message = majordomo::read(frames, 1, vector.text("to") == "broker");
  REQUIRE(message.has_value() == !vector.has("refused"));
  if (!message) return;
  const Version version = vector.text("version") == "0.1" ? Version::v01 : Version::v02;
  const Role role = vector.text("role") == "client" ? Role::client : Role::worker;
  CHECK(message->role == role);
  CHECK(message->dialect.version == version);
  CHECK(message->command == command_named(vector.text("command")));
  if (vector.has("service")) CHECK(frames.text(message->subject) == vector.text("service"));
  if (vector.has("address")) {
    CHECK(frames.text(message->subject) == TestVector::bytes_of(vector.text("address")));
  }
  CHECK(texts(frames, message->body) == vector.bytes("body"));
  CHECK((message->dialect == dialect_of(version)) == !vector.has("strayed"));

  Multipart written{"routing id"};
  if (!vector.has("address") && role == Role::worker) {
    put_command(written, message->dialect, message->command, vector.text("service"));
  } else {
    put_head(written, role, message->dialect, message->command);
  }
  std::vector<std::string> expected = vector.bytes("frame");
  if (message->subject > 0 && message->command != Command::ready) {
    expected.resize(message->subject - 1);
  }
  CHECK(texts(written, 1) == expected);
}

void check_pirate(const TestVector& vector) {
  const Multipart frames = frames_of(vector);
  const pirate::Message message = pirate::read(frames, 1);
  if (vector.has("refused")) {
    CHECK(message.command == pirate::Command::malformed);
    return;
  }
  const std::string command = vector.text("command");
  CHECK(message.command == (command == "ready"       ? pirate::Command::ready
                            : command == "heartbeat" ? pirate::Command::heartbeat
                                                     : pirate::Command::reply));
  CHECK(message.enveloped == vector.has("enveloped"));
  if (command != "reply") return;
  CHECK(frames.text(message.client) == TestVector::bytes_of(vector.text("address")));
  CHECK(texts(frames, message.client + 2) == vector.bytes("body"));
}

}  // namespace

TEST_CASE("Majordomo's and the pirates' vectors are read or refused") {
  const auto vectors = read_test_vectors("majordomo.txt");
  REQUIRE(vectors.size() > 60);
  for (const TestVector& vector : vectors) {
    CAPTURE(vector.text("name"));
    if (vector.text("protocol") == "majordomo") {
      check_majordomo(vector);
    } else if (vector.text("to") == "queue" && vector.text("role") == "worker") {
      check_pirate(vector);
    }
  }
}

TEST_CASE("whose message it claims to be is known, however malformed it is") {
  CHECK(majordomo::role_of(Multipart{"id", "MDPW02"}, 1) == Role::worker);
  CHECK(majordomo::role_of(Multipart{"id", "", "MDPC01"}, 1) == Role::client);
  CHECK(majordomo::role_of(Multipart{"id", "", ""}, 1) == std::nullopt);
  CHECK(majordomo::role_of(Multipart{"id"}, 1) == std::nullopt);
}

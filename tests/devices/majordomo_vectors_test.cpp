// What a broker and a queue with the strategy `ready` say to their peers, byte by byte: the vectors
// of tests/vectors/majordomo.txt.
#include "support/broker_world.hpp"
#include "support/vectors.hpp"

#include <doctest/doctest.h>

using namespace busbar;
using namespace std::chrono_literals;

namespace {

const std::string& id_of(const std::string& role) {
  static const std::string client = TestVector::bytes_of("006b8b4567");
  static const std::string worker = "worker";
  return role == "client" ? client : worker;
}

BrokerWorld::Wire wire_of(const TestVector& vector) {
  return vector.text("protocol") == "majordomo" ? BrokerWorld::Wire::majordomo
                                                : BrokerWorld::Wire::pirate;
}

void hear(BrokerWorld& world, const TestVector& vector) {
  Multipart frames{id_of(vector.text("role"))};
  for (const std::string& frame : vector.bytes("frame")) frames.push_back(frame);
  if (vector.text("protocol") == "majordomo") {
    world.broker.on_message(frames, world.now);
  } else if (vector.text("role") == "client") {
    ++world.clients.received;
    world.broker.on_pirate_request(frames, world.now);
  } else {
    world.broker.on_pirate(frames, world.now);
  }
}

}  // namespace

TEST_CASE("a broker and a ready queue write the vectors that go to their peers") {
  const auto vectors = read_test_vectors("majordomo.txt");
  int written = 0;
  for (const TestVector& vector : vectors) {
    if (vector.text("to") != "peer") continue;
    CAPTURE(vector.text("name"));
    BrokerWorld world{{}, wire_of(vector)};
    for (const std::string& name : vector.all("after")) hear(world, vector_named(vectors, name));
    if (vector.text("command") == "heartbeat") world.pass(1s);
    std::vector<std::string> expected = vector.bytes("frame");
    expected.insert(expected.begin(), id_of(vector.text("role")));
    CHECK(world.last == expected);
    CHECK(world.reconciles());
    ++written;
  }
  CHECK(written >= 20);
}

TEST_CASE("a broker and a ready queue count what the vectors refuse, and answer nothing") {
  for (const TestVector& vector : read_test_vectors("majordomo.txt")) {
    if (!vector.has("refused")) continue;
    CAPTURE(vector.text("name"));
    BrokerWorld world{{}, wire_of(vector)};
    hear(world, vector);
    CHECK(world.clients[Cause::malformed] + world.workers[Cause::malformed] == 1);
    CHECK(world.take().empty());
    CHECK(world.reconciles());
  }
}

TEST_CASE("a pirate that says what the vectors refuse is given nothing") {
  const auto vectors = read_test_vectors("majordomo.txt");
  for (const TestVector& vector : vectors) {
    if (!vector.has("refused") || vector.text("protocol") != "pirate") continue;
    CAPTURE(vector.text("name"));
    BrokerWorld world{{}, wire_of(vector)};
    hear(world, vector_named(vectors, "a Paranoid Pirate is ready"));
    CHECK(world.broker.has_free_worker());
    hear(world, vector);
    CHECK_FALSE(world.broker.has_free_worker());
  }
}

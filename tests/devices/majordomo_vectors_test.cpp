// What a broker says to its peers, byte by byte: the vectors of tests/vectors/majordomo.txt.
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

void hear(BrokerWorld& world, const TestVector& vector) {
  Multipart frames{id_of(vector.text("role"))};
  for (const std::string& frame : vector.bytes("frame")) frames.push_back(frame);
  world.broker.on_message(frames, world.now);
}

}  // namespace

TEST_CASE("a broker writes the vectors that go to its peers") {
  const auto vectors = read_test_vectors("majordomo.txt");
  int written = 0;
  for (const TestVector& vector : vectors) {
    if (vector.text("to") != "peer") continue;
    CAPTURE(vector.text("name"));
    BrokerWorld world;
    for (const std::string& name : vector.all("after")) hear(world, vector_named(vectors, name));
    if (vector.text("command") == "heartbeat") world.pass(1s);
    std::vector<std::string> expected = vector.bytes("frame");
    expected.insert(expected.begin(), id_of(vector.text("role")));
    CHECK(world.last == expected);
    CHECK(world.reconciles());
    ++written;
  }
  CHECK(written >= 10);
}

TEST_CASE("a broker counts what the vectors refuse, and answers nothing") {
  const auto vectors = read_test_vectors("majordomo.txt");
  for (const TestVector& vector : vectors) {
    if (!vector.has("refused") || vector.text("protocol") != "majordomo") continue;
    CAPTURE(vector.text("name"));
    BrokerWorld world;
    hear(world, vector);
    CHECK(world.clients[Cause::malformed] + world.workers[Cause::malformed] == 1);
    CHECK(world.take().empty());
    CHECK(world.reconciles());
  }
}

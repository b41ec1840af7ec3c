// What our worker and our client say to a broker, byte by byte, and that they take what it says:
// the vectors of tests/vectors/majordomo.txt.
#include "support/stock.hpp"
#include "support/vectors.hpp"

#include <future>

#include <doctest/doctest.h>

#include <busbar/patterns/internal/worker_protocol.hpp>
#include <busbar/patterns/service_client.hpp>

using namespace busbar;
using namespace busbar::detail;
using namespace busbar::testing;
using namespace std::chrono_literals;
namespace majordomo = busbar::protocol::majordomo;

namespace {

constexpr TimePoint start{1h};

majordomo::Version version_of(const TestVector& vector) {
  return vector.text("version") == "0.1" ? majordomo::Version::v01 : majordomo::Version::v02;
}

Multipart multipart(const std::vector<std::string>& frames) {
  Multipart made;
  for (const std::string& frame : frames) made.push_back(frame);
  return made;
}

std::vector<std::string> texts(const Multipart& frames) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < frames.size(); ++i) all.emplace_back(frames.text(i));
  return all;
}

bool is_said_by(const TestVector& vector, const std::string& role) {
  return vector.text("protocol") == "majordomo" && vector.text("to") == "broker" &&
         vector.text("role") == role && !vector.has("refused") && !vector.has("strayed");
}

/// Registered as the vector's worker, and READY is what it says next.
WorkerProtocol worker_of(const TestVector& vector) {
  WorkerProtocol worker{{.service = vector.text("service"),
                         .dialect = majordomo::dialect_of(version_of(vector)),
                         .heartbeat = 1s,
                         .expiry = 10s}};
  worker.connected(start);
  return worker;
}

/// As the vector says, to the requests that it has heard.
void speak(WorkerProtocol& worker, const TestVector& vector, std::uint64_t request) {
  const std::string command = vector.text("command");
  if (command == "heartbeat") return worker.on_time(start + 1s);
  if (command == "disconnect") return worker.leave(start);
  if (!vector.has("body")) return worker.give_up(request, start);
  CHECK(worker.answer(request, multipart(vector.bytes("body")), command == "final", start) ==
        WorkerProtocol::Answered::sent);
}

}  // namespace

TEST_CASE("a worker writes the vectors that it says to a broker") {
  const auto vectors = read_test_vectors("majordomo.txt");
  int written = 0;
  for (const TestVector& vector : vectors) {
    if (!is_said_by(vector, "worker")) continue;
    CAPTURE(vector.text("name"));
    WorkerProtocol worker = worker_of(vector);
    Multipart said;
    REQUIRE(worker.next(said));
    std::uint64_t first = 0;
    for (const std::string& name : vector.all("after")) {
      const TestVector& heard = vector_named(vectors, name);
      Multipart frames = multipart(heard.bytes("frame"));
      const auto request = worker.on_message(frames, start);
      REQUIRE(request);
      CHECK(texts(request->body) == heard.bytes("body"));
      if (first == 0) first = request->number;
    }
    if (vector.text("command") != "ready") {
      speak(worker, vector, first);
      REQUIRE(worker.next(said));
    }
    CHECK(texts(said) == vector.bytes("frame"));
    CHECK_FALSE(worker.next(said));
    ++written;
  }
  CHECK(written >= 10);
}

TEST_CASE("a worker takes the vectors that a broker says to it") {
  const auto vectors = read_test_vectors("majordomo.txt");
  for (const TestVector& vector : vectors) {
    if (vector.text("to") != "peer" || vector.text("role") != "worker" ||
        vector.text("protocol") != "majordomo") {
      continue;
    }
    CAPTURE(vector.text("name"));
    WorkerProtocol worker = worker_of(vector);
    Multipart frames = multipart(vector.bytes("frame"));
    CHECK(worker.on_message(frames, start).has_value() == (vector.text("command") == "request"));
    CHECK(worker.wants_socket(start) == (vector.text("command") == "disconnect"));
    CHECK(worker.malformed() == 0);
  }
}

TEST_CASE("a client writes the vectors that it says to a broker, and takes the answers") {
  const auto vectors = read_test_vectors("majordomo.txt");
  Context context;
  zmq::context_t zmq;
  Stock broker{zmq, zmq::socket_type::router};
  broker.raw().bind(any_port);
  const Endpoint endpoint{broker.raw().get(zmq::sockopt::last_endpoint)};
  int written = 0;
  for (const TestVector& vector : vectors) {
    // What stands in a body of ours is one frame.
    if (!is_said_by(vector, "client") || vector.bytes("body").size() > 1) continue;
    CAPTURE(vector.text("name"));
    ServiceClient client{context, {.connect = {endpoint}, .version = version_of(vector)}};
    auto pending = std::async(std::launch::async, [&] {
      return client.call(vector.text("service"), vector.bytes("body").front(), soon);
    });
    std::vector<std::string> asked = broker.receive();
    REQUIRE(!asked.empty());
    const std::string id = asked.front();
    asked.erase(asked.begin());
    CHECK(asked == vector.bytes("frame"));
    ++written;

    std::vector<std::string> body;
    for (const TestVector& answer : vectors) {
      const std::vector<std::string> heard = answer.all("after");
      if (answer.text("role") != "client" ||
          std::find(heard.begin(), heard.end(), vector.text("name")) == heard.end()) {
        continue;
      }
      std::vector<std::string> frames = answer.bytes("frame");
      frames.insert(frames.begin(), id);
      REQUIRE(broker.send(frames));
      for (const std::string& frame : answer.bytes("body")) body.push_back(frame);
      if (answer.text("command") == "final") break;
    }
    const ServiceReply reply = pending.get();
    REQUIRE(reply.ok());
    CHECK(texts(reply.frames()) == body);
  }
  CHECK(written >= 3);
}

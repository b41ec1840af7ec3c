// Every vector of tests/vectors/freelance.txt: read by us, and written.
#include "support/vectors.hpp"

#include <doctest/doctest.h>

#include <busbar/core/multipart.hpp>
#include <busbar/protocol/freelance.hpp>
#include <busbar/protocol/request_codec.hpp>

using namespace busbar;
using namespace busbar::protocol;

namespace {

/// Behind the routing id.
std::vector<std::string> behind(const Multipart& frames) {
  std::vector<std::string> texts;
  for (std::size_t i = 1; i < frames.size(); ++i) texts.emplace_back(frames.text(i));
  return texts;
}

}  // namespace

TEST_CASE("Freelance: every vector is read, and written") {
  const auto vectors = read_test_vectors("freelance.txt");
  REQUIRE(vectors.size() == 8);
  for (const TestVector& vector : vectors) {
    CAPTURE(vector.text("name"));
    Multipart frames{"tcp://server"};
    for (const std::string& frame : vector.bytes("frame")) frames.push_back(frame);
    CHECK(freelance::is_ping(frames) == (vector.text("kind") == "ping"));
    CHECK(freelance::is_pong(frames) == (vector.text("kind") == "pong"));
    if (vector.text("kind") == "ping") {
      CHECK(behind(freelance::ping("tcp://server")) == vector.bytes("frame"));
      freelance::make_pong(frames);
      CHECK(behind(frames) == vector.bytes("answer"));
    }
    CHECK_FALSE(freelance::is_busbar(frames));
    if (vector.text("kind") != "message") continue;
    freelance::to_busbar(frames);
    CHECK(behind(frames) == vector.bytes("busbar"));
    freelance::from_busbar(frames);
    CHECK(behind(frames) == vector.bytes("frame"));
    CHECK(frames.text(0) == "tcp://server");
  }
}

TEST_CASE("Freelance: a batch stands alone, as on our own wire") {
  Multipart frames{"tcp://server"};
  frames.push_back(encode(BatchHead{{.requester = 7, .number = 1}, 1}, "records"));
  CHECK(freelance::is_busbar(frames));
  const std::string before{frames.text(1)};
  freelance::from_busbar(frames);
  CHECK(behind(frames) == std::vector{before});
}

TEST_CASE("Freelance: a message without a control frame stays what it is") {
  Multipart frames{"tcp://server"};
  freelance::to_busbar(frames);
  CHECK(frames.size() == 1);
  CHECK_FALSE(freelance::is_ping(frames));
  freelance::from_busbar(frames);
  CHECK(frames.size() == 1);
}

// Every vector of tests/vectors/request.txt, both ways.
#include "support/vectors.hpp"

#include <string>

#include <doctest/doctest.h>

#include <busbar/protocol/request_codec.hpp>

using namespace busbar;
using namespace busbar::protocol;

namespace {

std::uint64_t number(const TestVector& vector, const char* key) {
  return std::stoull(vector.text(key));
}
RequestKey key_of(const TestVector& vector) {
  return {number(vector, "requester"), number(vector, "number")};
}

void check(const TestVector& vector, const RequestHead& head) {
  CHECK(vector.text("kind") == "request");
  CHECK(head.key == key_of(vector));
  CHECK(head.left == std::chrono::milliseconds{number(vector, "left")});
  CHECK(head.sent == number(vector, "sent"));
  CHECK((head.idempotent ? 1u : 0u) + (head.tell_me ? 2u : 0u) + (head.wanted ? 4u : 0u) ==
        number(vector, "flags"));
  CHECK(head.method == vector.text("method"));
}
void check(const TestVector& vector, const FailureHead& head) {
  CHECK(vector.text("kind") == "failure");
  CHECK(head.key == key_of(vector));
  CHECK(static_cast<std::uint64_t>(head.status) == number(vector, "status"));
  CHECK(head.kind == number(vector, "error"));
}
void check(const TestVector& vector, const ReplyHead& head) {
  CHECK(vector.text("kind") == "reply");
  CHECK(head.key == key_of(vector));
}
void check(const TestVector& vector, const CancelHead& head) {
  CHECK(vector.text("kind") == "cancel");
  CHECK(head.key == key_of(vector));
}
void check(const TestVector& vector, const TakenHead& head) {
  CHECK(vector.text("kind") == "taken");
  CHECK(head.key == key_of(vector));
  CHECK(head.direct == (vector.text("direct") == "1"));
}

void check(const TestVector& vector, const BatchHead& head) {
  CHECK(vector.text("kind") == "batch");
  CHECK(head.key == key_of(vector));
  CHECK(head.count == number(vector, "count"));
}

template <class Head>
Frame encode_with(const Head& head, std::string_view behind) {
  if constexpr (requires { encode(head, behind); }) {
    return encode(head, behind);
  } else {
    return encode(head);
  }
}

}  // namespace

TEST_CASE("every vector of the correlation frame is read, and written where it is ours") {
  const auto vectors = read_test_vectors("request.txt");
  REQUIRE(vectors.size() > 25);
  for (const TestVector& vector : vectors) {
    CAPTURE(vector.text("name"));
    const bool ours = vector.has("frame");
    const std::string frame = vector.bytes(ours ? "frame" : "reads")[0];
    std::string_view behind;
    const auto read = decode_correlation(frame, behind);
    REQUIRE(read.has_value() == (vector.text("kind") != "refused"));
    if (!read) continue;
    std::visit(
        [&](const auto& head) {
          check(vector, head);
          const Frame written = encode_with(head, behind);
          CHECK(behind ==
                (vector.has("records") ? vector.bytes("records")[0] : vector.text("behind")));
          if (ours) CHECK(text(written) == frame);
        },
        *read);
  }
}

TEST_CASE("a usual request stays within what libzmq sends without an allocation") {
  const Frame frame = encode(RequestHead{.key = {UINT64_MAX, 50'000},
                                         .left = std::chrono::seconds{10},
                                         .sent = UINT32_MAX,
                                         .method = "balance"});
  CHECK(frame.size() <= 33);
}

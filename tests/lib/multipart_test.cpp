#include <string>
#include <utility>

#include <doctest/doctest.h>

#include <busbar/core/multipart.hpp>

using busbar::Frame;
using busbar::Multipart;
using busbar::text;

namespace {

std::string joined(const Multipart& message) {
  std::string all;
  for (const Frame& frame : message) all += "[" + std::string(text(frame)) + "]";
  return all;
}

}  // namespace

TEST_CASE("a message is its frames, in order") {
  const Multipart message{"topic", "", "payload"};
  CHECK(message.size() == 3);
  CHECK(message.bytes() == 12);
  CHECK(message.text(2) == "payload");
  CHECK(joined(message) == "[topic][][payload]");
  CHECK(Multipart{}.empty());
}

TEST_CASE("frames go on and off at both ends") {
  Multipart message{"b"};
  message.push_back("c");
  message.push_front("a");
  message.push_front(Frame{});
  CHECK(joined(message) == "[][a][b][c]");
  CHECK(text(message.pop_front()).empty());
  CHECK(text(message.pop_front()) == "a");
  message.pop_back();
  CHECK(joined(message) == "[b]");
  message.pop_back();
  CHECK(message.empty());
}

TEST_CASE("a frame is replaced by other bytes, even by a part of its own") {
  Multipart message{"a", std::string(100, 'x') + "tail"};
  message.replace(0, "longer than before");
  message.replace(1, message.text(1).substr(98));
  CHECK(joined(message) == "[longer than before][xxtail]");
}

TEST_CASE("a message that was moved from is empty and may be used again") {
  Multipart first{"a", "b"};
  Multipart second{std::move(first)};
  CHECK(first.empty());  // NOLINT(bugprone-use-after-move): that is the promise
  CHECK(joined(second) == "[a][b]");
  Multipart third{"old"};
  third = std::move(second);
  CHECK(second.empty());
  CHECK(joined(third) == "[a][b]");
  first.push_back("again");
  second.push_back("too");
  CHECK(joined(first) + joined(second) == "[again][too]");
}

TEST_CASE("a cleared message keeps its slots and gives them out empty") {
  Multipart message{std::string(100, 'a'), "b", "c"};
  const Frame* const slots = message.begin();
  message.clear();
  CHECK(message.empty());
  CHECK(message.bytes() == 0);
  for (int i = 0; i < 3; ++i) CHECK(message.grow().size() == 0);
  CHECK(message.begin() == slots);
}

TEST_CASE("a popped frame's slot is given out empty") {
  Multipart message{"a", "b"};
  message.pop_back();
  CHECK(message.grow().size() == 0);
  (void)message.pop_front();
  CHECK(message.grow().size() == 0);
}

TEST_CASE("a message that was sent keeps its slots") {
  zmq::context_t context;
  zmq::socket_t out(context, zmq::socket_type::pair);
  zmq::socket_t in(context, zmq::socket_type::pair);
  in.bind("inproc://slots");
  out.connect("inproc://slots");

  Multipart message{"a", "b"};
  const Frame* const slots = message.begin();
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < message.size(); ++i) {
      const bool more = i + 1 < message.size();
      REQUIRE(out.send(message[i], more ? zmq::send_flags::sndmore : zmq::send_flags::none));
    }
    message.mark_sent();
    CHECK(message.empty());
    do {
      REQUIRE(in.recv(message.grow()));
    } while (message[message.size() - 1].more());
    CHECK(joined(message) == "[a][b]");
    CHECK(message.begin() == slots);
  }
}

TEST_CASE("a copy has the same frames and shares the bytes of large ones") {
  Multipart message{"small", std::string(1000, 'x')};
  Multipart copy = message.copy();
  CHECK(joined(copy) == joined(message));
  CHECK(copy[1].data() == message[1].data());
  copy.replace(1, "changed");
  message.clear();
  CHECK(joined(copy) == "[small][changed]");
}

// Several requests in one message, between a requester's machine and a replier's.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/protocol/replier_protocol.hpp>
#include <busbar/protocol/requester_protocol.hpp>

using namespace busbar;
using namespace busbar::protocol;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1h};

struct Pair {
  explicit Pair(std::uint32_t batch) : ask{{.id = 9, .servers = 1, .batch_messages = batch}} {
    ask.connected(0, start);
  }
  void request(std::string_view payload) {
    ask.add({.method = "m", .payload = Frame{payload.data(), payload.size()}, .deadline = 5s},
            start);
  }
  /// How many requests each message has that goes out.
  std::vector<std::uint32_t> carry() {
    std::vector<std::uint32_t> sizes;
    RequesterProtocol::Send send;
    while (ask.next(send, start)) {
      const auto head = decode_correlation(send.frames.text(0));
      REQUIRE(head);
      const auto* batch = std::get_if<BatchHead>(&*head);
      sizes.push_back(batch != nullptr ? batch->count : 1);
      send.frames.push_front("way");
      desk.on_message(send.frames, start);
    }
    return sizes;
  }
  /// Answers all with what they said, in the order in which they were asked.
  std::string answer() {
    std::string seen;
    const auto back = [&](Multipart& frames) {
      frames.pop_front();
      ask.on_message(0, frames, start);
    };
    ReplierProtocol::Job job;
    while (desk.take(job, start)) {
      CHECK(job.method == "m");
      const std::string payload{job.frames.text(job.payload)};
      seen += payload;
      if (desk.reply(job, job.reply(payload))) back(job.frames);
    }
    for (Multipart out; desk.next(out);) back(out);
    return seen;
  }

  RequesterProtocol ask;
  ReplierProtocol desk;
};

}  // namespace

TEST_CASE("requests go in batches to a server that is known to take them, in their order") {
  Pair it{3};
  it.request("a");
  it.request("b");
  CHECK(it.carry() == std::vector<std::uint32_t>{1, 1});  // nobody knows who is there
  CHECK(it.answer() == "ab");
  for (const char* one : {"c", "d", "e", "f", "g"}) it.request(one);
  CHECK(it.carry() == std::vector<std::uint32_t>{3, 2});
  CHECK(it.answer() == "cdefg");
  it.request("h");
  CHECK(it.carry() == std::vector<std::uint32_t>{1});
  CHECK(it.answer() == "h");
  CHECK(it.ask.counts().outcomes[static_cast<std::size_t>(Outcome::replied)] == 8);
  CHECK(it.desk.counts().received == 8);
  CHECK(it.desk.counts().replied == 8);
}

TEST_CASE("a cancellation and a large payload end a batch, and what is cancelled is not in one") {
  Pair it{10};
  it.request("a");
  it.carry();
  it.answer();
  it.request("b");
  it.carry();
  for (const char* one : {"c", "d", "e"}) it.request(one);
  it.ask.cancel(4, start);  // d, which is not sent yet
  it.ask.cancel(2, start);  // b, which is
  it.request("f");
  it.request(std::string(100'000, 'x'));
  it.request("g");
  CHECK(it.carry().size() >= 3);
  CHECK(it.answer() == "cef" + std::string(100'000, 'x') + "g");
  CHECK(it.desk.counts().cancelled == 1);
}

TEST_CASE(
    "a batch that breaks off counts as one message that is malformed, behind those before it") {
  const auto request = [](std::uint64_t number) {
    return encode(RequestHead{
        .key = {9, number}, .left = 1s, .sent = 3'600'000, .idempotent = false, .method = "m"});
  };
  std::string records;
  append_request(records, request(1), Frame{"a", 1});
  const std::size_t whole = records.size();
  append_request(records, request(2), Frame{"b", 1});
  const Frame reply = encode(ReplyHead{{9, 3}}, "x");
  std::string foreign = records.substr(0, whole);
  append_request(foreign, reply, Frame{"b", 1});
  for (const std::string& broken : {records.substr(0, records.size() - 1), foreign}) {
    ReplierProtocol desk;
    Multipart frames{"way", text(encode(BatchHead{{9, 1}, 2}, broken)), ""};
    desk.on_message(frames, start);
    CHECK(desk.counts().received == 2);
    CHECK(desk.counts().malformed == 1);
    ReplierProtocol::Job job;
    CHECK(desk.take(job, start));
    CHECK_FALSE(desk.take(job, start));
  }
  // With a body it is none.
  ReplierProtocol desk;
  Multipart frames{"way", text(encode(BatchHead{{9, 1}, 2}, records)), "", "body"};
  desk.on_message(frames, start);
  CHECK(desk.counts().malformed == 1);
  CHECK(desk.counts().received == 1);
}

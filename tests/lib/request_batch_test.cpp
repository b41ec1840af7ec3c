// Several requests in one message, between a requester's machine and a replier's.
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/protocol/header.hpp>
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
    messages = 0;
    const auto back = [&](Multipart& frames) {
      ++messages;
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

  std::uint64_t replied() const {
    return ask.counts().outcomes[static_cast<std::size_t>(Outcome::replied)];
  }

  RequesterProtocol ask;
  ReplierProtocol desk;
  int messages = 0;  ///< That went back.
};

RequestHead head_of(std::uint64_t number) {
  return {.key = {9, number}, .left = 1s, .sent = 3'600'000, .idempotent = false, .method = "m"};
}

/// Requests from 1 on in one message, with that in front.
Multipart batch_of(std::uint32_t count, std::initializer_list<std::string_view> way) {
  std::string records;
  for (std::uint32_t n = 1; n <= count; ++n)
    append_request(records, encode(head_of(n)), Frame{"x", 1});
  Multipart message{way};
  message.push_back(encode(BatchHead{{9, 1}, count}, records));
  return message;
}

/// Takes and answers one; how many messages go out for that.
std::size_t answer_one(ReplierProtocol& desk, std::string_view reply, TimePoint now) {
  ReplierProtocol::Job job;
  std::size_t out = 0;
  Multipart message;
  REQUIRE(desk.take(job, now));
  out += desk.reply(job, job.reply(reply)) ? 1 : 0;
  while (desk.next(message)) ++out;
  return out;
}

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
  CHECK(it.messages == 2);  // as they came
  it.request("h");
  CHECK(it.carry() == std::vector<std::uint32_t>{1});
  CHECK(it.answer() == "h");
  CHECK(it.replied() == 8);
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
  it.ask.cancel(4);  // d, which is not sent yet
  it.ask.cancel(2);  // b, which is
  it.request("f");
  it.request(std::string(100'000, 'x'));
  it.request("g");
  CHECK(it.carry().size() >= 3);
  CHECK(it.answer() == "cef" + std::string(100'000, 'x') + "g");
  CHECK(it.desk.counts().cancelled == 1);
}

TEST_CASE(
    "a batch that breaks off counts as one message that is malformed, behind those before it") {
  std::string records;
  append_request(records, encode(head_of(1)), Frame{"a", 1});
  const std::size_t whole = records.size();
  append_request(records, encode(head_of(2)), Frame{"b", 1});
  const Frame reply = encode(ReplyHead{{9, 3}}, "x");
  std::string foreign = records.substr(0, whole);
  append_request(foreign, reply, Frame{"b", 1});
  for (const std::string& broken : {records.substr(0, records.size() - 1), foreign}) {
    ReplierProtocol desk;
    Multipart frames{"way", text(encode(BatchHead{{9, 1}, 2}, broken))};
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

TEST_CASE("answers to a batch go back in one message, behind its last or before a wait") {
  ReplierProtocol desk;
  Multipart message = batch_of(3, {"way", "hop"});
  desk.on_message(message, start);
  CHECK(answer_one(desk, "a", start) == 0);
  CHECK(answer_one(desk, "b", start) == 0);
  CHECK(desk.gathers());
  CHECK(answer_one(desk, "c", start) == 1);
  CHECK_FALSE(desk.gathers());

  message = batch_of(3, {"way"});
  ReplierProtocol other;
  other.on_message(message, start);
  CHECK(answer_one(other, "a", start) == 0);
  CHECK(answer_one(other, "b", start) == 0);
  CHECK(answer_one(other, "c", start + 1ms) == 2);  // the first two had waited long enough

  // One of them is never begun: nobody waits for it.
  ReplierProtocol third;
  message = batch_of(2, {"way"});
  third.on_message(message, start);
  CHECK(answer_one(third, "a", start) == 0);
  Multipart cancel{"way", text(encode(CancelHead{{9, 2}})), ""};
  third.on_message(cancel, start);
  ReplierProtocol::Job job;
  CHECK_FALSE(third.take(job, start));
  third.flush();
  CHECK(third.next(message));
  CHECK(decode_correlation(message.text(1)));
}

TEST_CASE("an answer that is large, or of another way, goes by itself") {
  ReplierProtocol desk;
  Multipart message = batch_of(3, {"way"});
  desk.on_message(message, start);
  CHECK(answer_one(desk, "a", start) == 0);
  CHECK(answer_one(desk, std::string(100'000, 'x'), start) == 1);
  CHECK(desk.gathers());
  CHECK(answer_one(desk, std::string(65'530, 'x'), start) == 2);  // both do not fit in one

  Multipart here = batch_of(2, {"here"});
  ReplierProtocol several;
  several.on_message(here, start);
  Multipart there{"there", "", "stock"};
  CHECK(answer_one(several, "a", start) == 0);
  several.on_message(there, start);
  CHECK(answer_one(several, "b", start) == 1);
  CHECK(answer_one(several, "to the stock one", start) == 1);
}

TEST_CASE("answers in a batch that breaks off count as one that is malformed, behind the others") {
  const auto record = [](const Frame& answer) {
    std::string bytes;
    append_record(bytes, text(answer));
    return bytes;
  };
  const std::string good = record(encode(ReplyHead{{9, 1}}, "y"));
  const std::string second = record(encode(FailureHead{{9, 2}, FailureStatus::failed, 0}, "no"));
  const std::string foreign = record(encode(ReplyHead{{8, 2}}, "y"));
  const std::string request = record(encode(head_of(2)));
  for (const std::string& rest : {second, second.substr(0, 5), foreign, request, std::string{}}) {
    Pair it{3};
    it.request("a");
    it.request("b");
    it.carry();
    Multipart frames{text(encode(BatchHead{{9, 1}, 2}, good + rest))};
    it.ask.on_message(0, frames, start);
    RequesterProtocol::Finished one;
    REQUIRE(it.ask.take(one));
    CHECK(one.number == 1);
    CHECK(one.text() == "y");
    const bool whole = rest == second;
    CHECK(it.ask.take(one) == whole);
    CHECK(it.ask.counts().malformed == (whole ? 0 : 1));
    if (whole) CHECK(one.text() == "no");
  }
}

TEST_CASE("a batch goes to each of several servers, though requests alternate between them") {
  RequesterProtocol ask{{.id = 9, .servers = 2, .batch_messages = 10}};
  const auto add = [&] { ask.add({.method = "m", .deadline = 5s}, start); };
  RequesterProtocol::Send send;
  for (std::size_t server : {0u, 1u}) {
    ask.connected(server, start);
    Multipart taken{text(encode(TakenHead{{9, 1}, true}))};
    ask.on_message(server, taken, start);
  }
  for (int i = 0; i < 6; ++i) add();
  std::vector<std::pair<std::size_t, std::uint32_t>> sent;
  while (ask.next(send, start)) {
    const auto head = decode_correlation(send.frames.text(0));
    sent.emplace_back(send.server, std::get<BatchHead>(*head).count);
  }
  CHECK(sent == std::vector<std::pair<std::size_t, std::uint32_t>>{{0, 3}, {1, 3}});
}

TEST_CASE("a replier that leaves answers what it has begun of a batch at once") {
  ReplierProtocol desk;
  Multipart message = batch_of(2, {"way"});
  desk.on_message(message, start);
  ReplierProtocol::Job job;
  REQUIRE(desk.take(job, start));
  desk.leave();
  while (desk.next(message)) {
  }
  CHECK_FALSE(desk.reply(job, job.reply("y")));
  CHECK_FALSE(desk.gathers());
  CHECK(desk.next(message));
}

TEST_CASE("a message has at most a thousand requests, or answers") {
  ReplierProtocol desk;
  Multipart message = batch_of(batch_max + 1, {"way"});
  desk.on_message(message, start);
  CHECK(desk.counts().malformed == 1);
  CHECK(desk.counts().received == 1);
}

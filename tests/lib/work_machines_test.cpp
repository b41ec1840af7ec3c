#include <map>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/protocol/dispatcher.hpp>
#include <busbar/protocol/intake.hpp>

using namespace busbar;
using namespace busbar::protocol;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1h};

Job job(std::string_view payload) {
  Job made;
  made.payload = Frame{payload.data(), payload.size()};
  return made;
}

/// A pusher, and pullers at addresses of one letter; what they say arrives at once.
struct Shop {
  explicit Shop(DispatcherOptions options = {.id = 9}) : pusher(options) {}

  void open(const Address& at, std::uint32_t credit) {
    desks.emplace(at, Intake{{.name = at, .credit = credit, .draw = [this] { return ++drawn; }}});
    desks.at(at).connected("pusher");
    carry();
  }
  /// Until nobody has anything to say.
  void carry() {
    for (bool said = true; said;) {
      said = false;
      Outgoing out;
      while (pusher.next(out)) {
        said = true;
        const auto desk = desks.find(out.to);
        if (desk == desks.end() || mute.count(out.to) != 0) continue;
        desk->second.on_message("pusher", out.frames, now);
      }
      for (auto& [address, desk] : desks) {
        while (mute.count(address) == 0 && desk.next(out)) {
          said = true;
          pusher.on_message(address, out.frames, now);
        }
      }
    }
  }
  void push(std::string_view payload) {
    pusher.push(job(payload));
    carry();
  }
  Intake::Item take(const Address& at) {
    auto item = desks.at(at).take();
    REQUIRE(item);
    return std::move(*item);
  }
  void settle(const Address& at, const Intake::Item& item, Verdict verdict,
              std::string_view reason = {}) {
    desks.at(at).settle(item.ticket, verdict, reason);
    carry();
  }
  void pass(std::chrono::milliseconds time) {
    for (; time > 0ms; time -= 500ms) {
      now += 500ms;
      pusher.on_time(now);
      for (auto& [address, desk] : desks) {
        if (mute.count(address) == 0) desk.on_time(now);
      }
      carry();
    }
  }

  TimePoint now = start;
  Dispatcher pusher;
  std::map<Address, Intake> desks;
  std::set<Address> mute;  ///< Stopped: hears and says nothing.
  std::uint64_t drawn = 0;
};

}  // namespace

TEST_CASE("work goes to whoever has least out in proportion to its credit") {
  Shop shop;
  shop.open("a", 2);
  shop.open("b", 6);
  for (int i = 0; i < 4; ++i) shop.push("work");
  CHECK(shop.desks.at("a").counts().waiting == 1);
  CHECK(shop.desks.at("b").counts().waiting == 3);
  for (int i = 0; i < 6; ++i) shop.push("work");
  CHECK(shop.desks.at("a").counts().waiting == 2);
  CHECK(shop.desks.at("b").counts().waiting == 6);
  CHECK(shop.pusher.counts().waiting == 2);
  shop.settle("b", shop.take("b"), Verdict::done);
  CHECK(shop.desks.at("b").counts().waiting == 6);
  CHECK(shop.pusher.counts().waiting == 1);
  CHECK(shop.pusher.counts().done == 1);
}

TEST_CASE("what waits is shared out in batches, and counted by message") {
  Shop shop;
  for (int i = 0; i < 100; ++i) shop.pusher.push(job(std::to_string(i)));
  shop.open("a", 40);
  CHECK(shop.desks.at("a").counts().waiting == 40);
  shop.open("b", 100);
  CHECK(shop.desks.at("b").counts().waiting == 60);
  for (int i = 0; i < 40; ++i) {
    const auto item = shop.take("a");
    CHECK(item.payload == std::to_string(i));
    CHECK(item.header.sequence == static_cast<std::uint64_t>(i + 1));
    CHECK(item.attempt == 1);
    shop.desks.at("a").settle(item.ticket, Verdict::done);
  }
  shop.carry();
  CHECK(shop.pusher.counts().done == 40);
}

TEST_CASE("what a worker that fell silent had goes to another one, first of all, and says so") {
  Shop shop;
  shop.open("a", 2);
  shop.push("one");
  shop.push("two");
  shop.push("three");
  const auto late = shop.take("a");
  shop.mute.insert("a");
  shop.open("b", 3);
  CHECK(shop.take("b").payload == "three");
  shop.pass(5s);
  CHECK(shop.pusher.counts().workers == 1);
  // One at a time: either may be what killed the worker.
  const auto first = shop.take("b");
  CHECK(first.payload == "one");
  CHECK(first.attempt == 2);
  CHECK_FALSE(shop.desks.at("b").take());
  shop.settle("b", first, Verdict::done);
  shop.settle("b", shop.take("b"), Verdict::done);
  CHECK(shop.pusher.counts().done == 2);
  // The late answer changes nothing, and what was not taken there is not taken any more.
  shop.mute.clear();
  shop.desks.at("a").settle(late.ticket, Verdict::done);
  shop.carry();
  CHECK(shop.pusher.counts().stale == 1);
  CHECK(shop.pusher.counts().done == 2);
  shop.pass(2s);
  CHECK(shop.pusher.counts().workers == 2);
  CHECK_FALSE(shop.desks.at("a").take());
}

TEST_CASE("what failed goes to another worker, and to a callback after the last attempt") {
  Shop shop{{.id = 9, .attempts_max = 3}};
  shop.open("a", 1);
  shop.open("b", 1);
  shop.push("poison");
  shop.settle("a", shop.take("a"), Verdict::failed, "no such file");
  const auto second = shop.take("b");
  CHECK(second.attempt == 2);
  shop.settle("b", second, Verdict::failed, "no such file");
  shop.settle("a", shop.take("a"), Verdict::failed, "still none");
  const auto poison = shop.pusher.take_given_up();
  REQUIRE(poison.size() == 1);
  CHECK(text(poison[0].payload) == "poison");
  CHECK(poison[0].attempts == 3);
  CHECK(poison[0].failure == "still none");
  CHECK(shop.pusher.counts().given_up == 1);
  CHECK(shop.pusher.bytes() == 0);
}

TEST_CASE("what failed rests, longer each time, and holds up nothing else") {
  Shop shop{{.id = 9, .attempts_max = 4, .retry_after = 100ms}};
  shop.open("a", 2);
  shop.push("poison");
  shop.push("good");
  shop.settle("a", shop.take("a"), Verdict::failed, "no such file");
  shop.settle("a", shop.take("a"), Verdict::done);
  for (const auto rest : {100ms, 200ms, 400ms}) {
    CAPTURE(rest.count());
    CHECK_FALSE(shop.desks.at("a").take());
    CHECK(shop.pusher.counts().waiting == 1);
    CHECK(shop.pusher.next_deadline() <= shop.now + rest);
    shop.now += rest - 1ms;
    shop.pusher.on_time(shop.now);
    shop.carry();
    CHECK_FALSE(shop.desks.at("a").take());
    CHECK(shop.pusher.next_deadline() == shop.now + 1ms);
    shop.now += 1ms;
    shop.pusher.on_time(shop.now);
    shop.carry();
    shop.settle("a", shop.take("a"), Verdict::failed, "no such file");
  }
  CHECK(shop.pusher.take_given_up().size() == 1);
  CHECK(shop.pusher.counts().waiting == 0);
  CHECK(shop.pusher.bytes() == 0);
}

TEST_CASE("what rests never rests for more than a minute, and is told as waiting") {
  Shop shop{{.id = 9, .retry_after = 25s}};
  shop.open("a", 1);
  shop.push("poison");
  for (const auto rest : {25'000ms, 50'000ms, 60'000ms, 60'000ms}) {
    shop.settle("a", shop.take("a"), Verdict::failed);
    shop.pass(rest - 500ms);
    CHECK_FALSE(shop.desks.at("a").take());
    shop.pass(500ms);
  }
  shop.settle("a", shop.take("a"), Verdict::failed);
  CHECK(shop.pusher.counts().waiting == 1);
  CHECK(shop.pusher.take_waiting().size() == 1);
  CHECK(shop.pusher.counts().waiting == 0);
}

TEST_CASE("what a worker died with goes on at once, and rests when the next one dies too") {
  Shop shop{{.id = 9, .retry_after = 100ms}};
  const auto die = [&](const Address& at) {
    shop.desks.erase(at);
    shop.pusher.unreachable(at, shop.now);
    shop.carry();
  };
  for (const char* at : {"a", "b", "c"}) shop.open(at, 1);
  shop.push("poison");
  const auto has_it = [&](const Address& at) { return shop.desks.at(at).counts().waiting == 1; };
  REQUIRE(has_it("a"));
  die("a");
  REQUIRE(has_it("b"));
  die("b");
  CHECK_FALSE(has_it("c"));
  CHECK(shop.pusher.next_deadline() <= shop.now + 100ms);
  shop.now += 100ms;
  shop.pusher.on_time(shop.now);
  shop.carry();
  CHECK(has_it("c"));
}

TEST_CASE("a message that kills its workers does not use up its neighbours' attempts") {
  Shop shop{{.id = 9, .attempts_max = 3}};
  for (int i = 0; i < 20; ++i) shop.pusher.push(job(i == 3 ? "poison" : "good"));
  int workers = 0;
  while (shop.pusher.counts().done < 19) {
    REQUIRE(workers < 10);
    const Address at = std::to_string(workers++);
    shop.open(at, 5);
    while (auto item = shop.desks.at(at).take()) {
      if (item->payload == "poison") {
        shop.pusher.unreachable(at, shop.now);
        break;
      }
      shop.settle(at, *item, Verdict::done);
    }
    shop.desks.erase(at);
    if (shop.pusher.counts().workers > 0) shop.pusher.unreachable(at, shop.now);
  }
  const auto poison = shop.pusher.take_given_up();
  REQUIRE(poison.size() == 1);
  CHECK(text(poison[0].payload) == "poison");
}

TEST_CASE("a worker that leaves gives back what it has not begun, which counts as no attempt") {
  Shop shop{{.id = 9, .attempts_max = 1}};
  shop.open("a", 3);
  for (int i = 0; i < 3; ++i) shop.push("work");
  const auto begun = shop.take("a");
  shop.desks.at("a").close();
  shop.carry();
  CHECK(shop.pusher.counts().waiting == 2);
  shop.settle("a", begun, Verdict::done);
  shop.desks.at("a").leave();
  shop.carry();
  CHECK(shop.pusher.counts().workers == 0);
  CHECK(shop.pusher.counts().given_up == 0);
  shop.open("b", 3);
  CHECK(shop.take("b").attempt == 1);
}

TEST_CASE("a worker does not do again what it did, though its answer was lost") {
  Shop shop;
  shop.open("a", 2);
  shop.push("one");
  shop.push("two");
  const auto held = shop.take("a");
  const auto done = shop.take("a");
  shop.desks.at("a").settle(done.ticket, Verdict::done);
  shop.desks.at("a").disconnected("pusher");  // and the answer with it
  shop.pusher.unreachable("a", shop.now);
  shop.desks.at("a").connected("pusher");
  shop.carry();
  CHECK_FALSE(shop.desks.at("a").take());
  shop.settle("a", held, Verdict::done);
  CHECK_FALSE(shop.desks.at("a").take());
  CHECK(shop.pusher.counts().done == 2);
  CHECK(shop.desks.at("a").counts().duplicates == 2);
}

TEST_CASE("what waits in the middle of a batch and comes by another way is handed out once") {
  std::uint64_t drawn = 0;
  Intake desk{{.credit = 20, .draw = [&] { return ++drawn; }}};
  const auto come = [&](const Address& from, std::uint64_t session, Hand hand, Header header,
                        std::string_view payload) {
    hand.registration = 1;
    hand.number = 1;
    header.publisher = 9;
    desk.connected(from);
    Multipart alive{
        encode(Alive{.pusher = 9, .session = session, .registration = 1, .expiry = 3s})};
    desk.on_message(from, alive, start);
    Multipart frames{encode(hand), encode(header), payload};
    desk.on_message(from, frames, start);
  };
  come("a", 2, {.delivery = 1, .attempt = 1}, {.sequence = 1, .batch = 4}, "\xa1w\xa1x\xa1y\xa1z");
  come("b", 4, {.delivery = 5, .attempt = 2}, {.sequence = 3}, "y");
  CHECK(desk.counts().waiting == 4);
  CHECK(desk.counts().duplicates == 1);
  for (const char* payload : {"w", "x", "y", "z"}) {
    const auto item = desk.take();
    REQUIRE(item);
    CHECK(item->payload == payload);
    desk.settle(item->ticket, Verdict::done);
  }
  std::map<Address, std::vector<Run>> answered;
  for (Outgoing out; desk.next(out);) {
    const auto message = decode_work(out.frames.text(0)).value();
    if (const auto* answer = std::get_if<Answer>(&message)) answered[out.to] = answer->runs;
  }
  CHECK(answered["a"] == std::vector<Run>{{1, 2}, {4, 1}});
  CHECK(answered["b"] == std::vector<Run>{{5, 1}});
}

TEST_CASE("without acknowledgement credit comes back when work is taken, and nothing is kept") {
  Shop shop{{.id = 9, .acknowledge = false}};
  shop.open("a", 2);
  for (int i = 0; i < 3; ++i) shop.push("work");
  CHECK(shop.pusher.counts().waiting == 1);
  CHECK(shop.pusher.bytes() == 4);
  const auto item = shop.take("a");
  CHECK(item.attempt == 0);
  CHECK(item.ticket == 0);
  shop.carry();
  CHECK(shop.pusher.counts().done == 1);
  CHECK(shop.pusher.counts().waiting == 0);
  shop.pusher.unreachable("a", shop.now);
  CHECK(shop.pusher.counts().lost == 2);
  CHECK(shop.desks.at("a").counts().waiting == 2);
}

TEST_CASE("a puller's credit is divided among its pushers") {
  std::uint64_t drawn = 0;
  Intake desk{{.credit = 6, .draw = [&] { return ++drawn; }}};
  desk.connected("a");
  desk.connected("b");
  const auto say = [&](const Address& from, std::uint64_t id, std::uint64_t session) {
    Multipart alive{
        encode(Alive{.pusher = id, .session = session, .registration = 1, .expiry = 3s})};
    desk.on_message(from, alive, start);
  };
  say("a", 1, 2);
  say("b", 2, 4);
  std::map<Address, std::uint32_t> credit;
  for (Outgoing out; desk.next(out);) {
    credit[out.to] = std::get<Ready>(decode_work(out.frames.text(0)).value()).credit;
  }
  CHECK(credit == std::map<Address, std::uint32_t>{{"a", 3}, {"b", 3}});
}

TEST_CASE("a pusher that gives more than was asked for, or a broken batch, is refused") {
  std::uint64_t drawn = 0;
  Intake desk{{.credit = 2, .draw = [&] { return ++drawn; }}};
  desk.connected("a");
  const auto hand = [&](std::uint64_t number, std::uint32_t batch, std::string_view payload) {
    Multipart frames{encode(Hand{.registration = number, .number = 1, .delivery = 1, .attempt = 1}),
                     encode(Header{.publisher = 9, .sequence = 1, .batch = batch}), payload};
    desk.on_message("a", frames, start);
  };
  std::uint64_t session = drawn;
  const auto registered = [&](std::uint64_t registration) {
    for (Outgoing out; desk.next(out);) {
    }
    Multipart alive{encode(
        Alive{.pusher = 9, .session = session++, .registration = registration, .expiry = 3s})};
    desk.on_message("a", alive, start);
  };
  registered(1);
  hand(1, 3, "\xa1x\xa1x\xa1x");
  CHECK(desk.counts().malformed == 1);
  CHECK(desk.counts().pushers == 0);
  registered(2);
  hand(2, 2, "\xa1x\xc4");
  CHECK(desk.counts().malformed == 2);
  CHECK_FALSE(desk.take());
  registered(3);
  hand(3, 2, "\xa1x\xa1y");
  CHECK(desk.counts().waiting == 2);
  Multipart noise{"hello"};
  desk.on_message("a", noise, start);
  CHECK(desk.counts().malformed == 3);
}

TEST_CASE("answers of strangers, doubled or for what was not given, change nothing") {
  Shop shop;
  shop.open("a", 4);
  shop.push("one");
  const auto answer = [&](const Address& from, Answer what) {
    shop.pusher.on_message(from, Multipart{encode(what)}, shop.now);
  };
  answer("z", {.pusher = 9, .registration = 1, .number = 1, .runs = {{1, 1}}});
  answer("a", {.pusher = 8, .registration = 1, .number = 1, .runs = {{1, 1}}});
  answer("a", {.pusher = 9, .registration = 7, .number = 1, .runs = {{1, 1}}});
  CHECK(shop.pusher.counts().stale == 3);
  CHECK(shop.pusher.counts().out == 1);
  // Too many: the worker is registered anew, and what it has is redelivered to it.
  answer("a", {.pusher = 9, .registration = 1, .number = 1, .runs = {{1, UINT64_MAX / 2}}});
  CHECK(shop.pusher.counts().malformed == 1);
  shop.carry();
  CHECK(shop.take("a").attempt == 2);
}

TEST_CASE("a registration that was overtaken by the next one is none, by whichever way it comes") {
  Dispatcher pusher{{.id = 9}};
  const auto ready = [&](const Address& from, std::uint64_t session) {
    const Ready said{.worker = 1, .session = session, .credit = 1, .expiry = 3s};
    pusher.on_message(from, Multipart{encode(said)}, start);
    std::set<Address> answered;
    for (Outgoing out; pusher.next(out);) answered.insert(out.to);
    return answered;
  };
  pusher.push(job("one"));
  CHECK(ready("a", 1) == std::set<Address>{"a"});
  CHECK(ready("b", 2) == std::set<Address>{"b"});
  CHECK(pusher.counts().redelivered == 1);
  for (const Address from : {"a", "b"}) CHECK(ready(from, 1).empty());
  CHECK(pusher.counts().redelivered == 1);
  CHECK(ready("b", 3) == std::set<Address>{"b"});
  CHECK(pusher.counts().redelivered == 2);
}

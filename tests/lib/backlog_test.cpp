#include <map>
#include <random>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include <busbar/protocol/backlog.hpp>

using namespace busbar;
using namespace busbar::protocol;

namespace {

constexpr std::size_t batch_bytes = 2000;
constexpr BacklogOptions packing{.packed_below = 500};

Job job(std::string_view payload, std::uint64_t time = 0, Headers headers = {}) {
  return {.time = time,
          .payload = payload.empty() ? Frame{} : Frame{payload.data(), payload.size()},
          .headers = std::move(headers)};
}

/// Books the next lots out under the registration; answers how many messages that were.
std::uint64_t hand(Backlog& backlog, std::uint64_t registration, std::uint64_t most) {
  std::vector<Lot> lots;
  backlog.take_fresh(most, batch_bytes, lots);
  std::uint64_t messages = 0;
  for (Lot& lot : lots) {
    messages += lot.messages();
    backlog.book_out(registration, std::move(lot));
  }
  return messages;
}

}  // namespace

TEST_CASE("whatever runs are answered, each message is settled once, as the one that it is") {
  const auto first_seed = std::random_device{}();
  for (std::uint32_t seed = first_seed; seed != first_seed + 300; ++seed) {
    CAPTURE(seed);
    std::mt19937 random{seed};
    const auto below = [&](std::uint64_t n) { return random() % n; };
    Backlog backlog{packing};
    std::map<std::uint64_t, std::string> payloads;               // of all, by number
    std::map<std::uint64_t, std::pair<std::uint64_t, int>> out;  // registration, number by delivery
    std::set<std::uint64_t> settled;
    std::uint64_t handed = 0;  // numbers are handed in their order
    for (int step = 0; step < 300; ++step) {
      if (below(2) == 0) {
        const std::string payload(below(20) == 0 ? 600 : below(60),
                                  static_cast<char>('a' + below(26)));
        const auto headers = below(4) == 0 ? Headers{{"name", "value"}} : Headers{};
        payloads[backlog.push(job(payload, below(3) * 2000, headers))] = payload;
      } else if (below(3) > 0 && backlog.fresh() > 0) {
        const std::uint64_t registration = 1 + below(3);
        const std::uint64_t delivery = backlog.next_delivery();
        const std::uint64_t messages = hand(backlog, registration, 1 + below(40));
        for (std::uint64_t i = 0; i < messages; ++i) {
          out[delivery + i] = {registration, static_cast<int>(++handed)};
        }
      } else {
        const std::uint64_t registration = 1 + below(3);
        const Run run{1 + below(backlog.next_delivery()), 1 + below(30)};
        std::set<std::uint64_t> expected;
        for (std::uint64_t at = run.first; at < run.first + run.count; ++at) {
          if (const auto one = out.find(at);
              one != out.end() && one->second.first == registration) {
            expected.insert(static_cast<std::uint64_t>(one->second.second));
            out.erase(one);
          }
        }
        std::set<std::uint64_t> got;
        backlog.take_back(registration, run, [&](Lot lot) {
          for (Backlog::JobPtr& one : backlog.jobs_of(std::move(lot), 1)) {
            CHECK(text(one->payload) == payloads.at(one->number));
            CHECK(got.insert(one->number).second);
            backlog.done(Lot{.job = std::move(one)});
          }
        });
        CHECK(got == expected);
        settled.insert(got.begin(), got.end());
      }
    }
    const Backlog::Counts counts = backlog.counts();
    CHECK(counts.pushed == payloads.size());
    CHECK(counts.done == settled.size());
    CHECK(counts.out == out.size());
    CHECK(counts.pushed == counts.done + counts.waiting + counts.out);
    for (std::uint64_t registration = 1; registration <= 3; ++registration) {
      for (Lot& lot : backlog.take_back_all(registration)) backlog.done(lot);
    }
    while (backlog.fresh() > 0) hand(backlog, 9, 1000);
    for (Lot& lot : backlog.take_back_all(9)) backlog.done(lot);
    CHECK(backlog.bytes() == 0);
    CHECK(backlog.counts().done == payloads.size());
  }
}

TEST_CASE("what is packed goes in batches within their bounds, what is large by itself") {
  Backlog backlog{packing};
  for (int i = 0; i < 100; ++i) backlog.push(job(std::string(100, 'x')));
  backlog.push(job(std::string(500, 'y')));
  backlog.push(job("z"));
  CHECK(hand(backlog, 1, 1000) == 20);
  CHECK(hand(backlog, 1, 7) == 7);
  std::uint64_t handed = 27;
  while (handed < 100) handed += hand(backlog, 1, 1000);
  CHECK(handed == 100);
  CHECK(hand(backlog, 1, 1000) == 1);
  CHECK(hand(backlog, 1, 1000) == 1);
}

TEST_CASE("what was pushed at another time has its own") {
  Backlog backlog{packing};
  backlog.push(job("early", 1'000'000));
  backlog.push(job("just behind it", 1'000'500));
  backlog.push(job("late", 9'000'000));
  std::vector<Lot> lots;
  backlog.take_fresh(10, batch_bytes, lots);
  REQUIRE(lots.size() == 2);
  CHECK(lots[0].messages() == 2);
  CHECK(lots[1].time() == 9'000'000);
  CHECK(lots[1].number() == 3);
}

TEST_CASE("packed bytes are held until the last message among them is settled") {
  Backlog backlog{packing};
  for (int i = 0; i < 3; ++i) backlog.push(job("four"));
  CHECK(hand(backlog, 1, 10) == 3);
  const auto done = [&](Lot lot) { backlog.done(lot); };
  backlog.take_back(1, {1, 2}, done);
  CHECK(backlog.bytes() == 12);
  backlog.take_back(1, {3, 1}, done);
  CHECK(backlog.bytes() == 0);
}

// Ledgers of a publisher, a chain of forwarders and a subscriber: whatever happened on the way, all
// that was published is accounted for, by topic, by the side that caused the loss.
#include "support/chain.hpp"

using namespace busbar;
using namespace std::chrono_literals;
using busbar::testing::Chain;
using busbar::testing::ChainOptions;
using busbar::testing::Simulation;
using busbar::testing::sum;
using busbar::testing::Totals;

namespace {

struct Trouble {
  bool stalls = false;
  bool forwarders_restart = false;
  bool publisher_restarts = false;
  bool subscriber_restarts = false;
};

constexpr auto calm_after = 5s;
constexpr HistoryLimits nothing_kept{.messages = 0};
const std::vector<std::string> topics{"t.a", "t.b", "t.c"};

void publish_at_random(Chain& world, std::size_t place, int bursts) {
  for (int i = 0; i < bursts; ++i) {
    world.sim.after(std::chrono::milliseconds{world.sim.below(5000)}, [&world, place] {
      for (std::uint64_t n = 1 + world.sim.below(30); n > 0; --n) {
        const bool batch = world.sim.chance(0.3);
        world.publish(*world.senders[place], topics[world.sim.below(topics.size())],
                      batch ? 1 + static_cast<std::uint32_t>(world.sim.below(5)) : 0);
      }
    });
  }
}

void restart_forwarder(Chain& world, Simulation& dice) {
  const std::size_t i = dice.below(world.hops.size());
  if (!world.hops[i].book) return;
  world.end_hop(i, dice.chance(0.5));
  world.sim.after(std::chrono::milliseconds{1 + dice.below(300)}, [&world, i] {
    if (!world.hops[i].book) world.start_hop(i);
  });
}

void plan(Chain& world, Simulation& dice, const Trouble& trouble) {
  const auto sometime = [&] { return std::chrono::milliseconds{500 + dice.below(4000)}; };
  for (int i = 0; i < 3 && trouble.stalls; ++i) {
    const auto begin = sometime();
    world.sim.after(begin, [&] { world.stalled = true; });
    world.sim.after(begin + std::chrono::milliseconds{dice.below(800)},
                    [&] { world.stalled = false; });
  }
  for (int i = 0; i < 3 && trouble.forwarders_restart; ++i) {
    world.sim.after(sometime(), [&] { restart_forwarder(world, dice); });
  }
  if (trouble.publisher_restarts) {
    world.sim.after(sometime(), [&] {
      world.kill_publisher(0);
      world.add_publisher("first");
      std::swap(world.senders.front(), world.senders.back());
    });
  }
  if (trouble.subscriber_restarts) world.sim.after(sometime(), [&] { world.restart_subscriber(); });
}

/// Runs until all is quiet, and everything was delivered or told.
void run(Chain& world, Simulation& dice, const Trouble& trouble) {
  for (const char* name : {"first", "second"}) world.add_publisher(name);
  REQUIRE(world.sim.run_until([&] { return world.subscriber->is_ready(2); }, 10s));
  for (std::size_t place = 0; place < 2; ++place) publish_at_random(world, place, 20);
  plan(world, dice, trouble);
  world.sim.run_for(calm_after);
  world.stalled = false;
  world.sim.run_for(5s);
  // What is told each minute is told by then.
  CHECK(world.sim.run_until([&] { return world.is_complete(); }, 2min));
  world.sim.run_for(5s);
}

/// All that holds whatever happened.
void check(Chain& world) {
  for (const Ledger& ledger : world.ledgers()) CHECK(ledger.reconciles());
  const Totals dropped = world.dropped();
  for (const std::string& topic : topics) {
    CAPTURE(topic);
    const auto in = [&topic](const Totals& totals) {
      const auto known = totals.find(topic);
      return known == totals.end() ? 0 : known->second;
    };
    CHECK(in(world.entered) + in(world.doubled) == in(world.received) + in(dropped) +
                                                       in(world.abandoned) + in(world.cut) +
                                                       in(world.cut_while_held));
  }
  const auto counts = world.subscriber->counts();
  CHECK(counts.waiting == 0);
  CHECK(counts.malformed + counts.unwanted == 0);
  CHECK(counts.received == counts.delivered + counts.duplicates);
  CHECK(world.out_of_order == 0);
  for (const auto& sender : world.senders) {
    for (const auto& stream : sender->topics) {
      const auto& seen = world.seen[{sender->protocol->id(), stream.first}];
      const std::string& topic = stream.second;
      CAPTURE(topic);
      CHECK(seen.delivered + seen.lost == seen.next - seen.first);
    }
  }
}

template <class Test>
void for_seeds(std::uint64_t count, Test test) {
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    CAPTURE(seed);
    Simulation dice{seed * 7919};
    test(seed, dice,
         ChainOptions{.hops = 1 + dice.below(3),
                      .overflow = dice.chance(0.5) ? Overflow::drop : Overflow::block,
                      .room = 5 + dice.below(20),
                      .history = nothing_kept});
  }
}

}  // namespace

TEST_CASE(
    "what is lost at high-water marks is in the ledger of who dropped it, by topic, by seed") {
  std::uint64_t by_forwarders = 0;
  std::uint64_t by_publishers = 0;
  for_seeds(150, [&](std::uint64_t seed, Simulation& dice, ChainOptions options) {
    Chain world{seed, options};
    run(world, dice, {.stalls = true});
    check(world);
    // All is told, and all that is told stands in a ledger.
    CHECK(sum(world.cut) + sum(world.abandoned) == 0);
    CHECK(world.told_missing == sum(world.dropped()));
    CHECK(sum(world.published) == world.subscriber->counts().delivered + world.told_missing);
    std::uint64_t here = 0;
    for (const Ledger& ledger : world.ledgers()) {
      CHECK(ledger.backend.held == 0);
      here += ledger.backend[Cause::overflow];
    }
    if (options.overflow == Overflow::block) CHECK(here == 0);
    by_forwarders += here;
    by_publishers += sum(world.dropped()) - std::min(here, sum(world.dropped()));
  });
  CHECK(by_forwarders > 1000);
  CHECK(by_publishers > 1000);
}

TEST_CASE(
    "what comes twice on the way is counted by the subscriber, and the sum over hops is right") {
  std::uint64_t twice = 0;
  for_seeds(100, [&](std::uint64_t seed, Simulation& dice, ChainOptions options) {
    options.duplicate = 0.05;
    Chain world{seed, options};
    run(world, dice, {.stalls = true});
    check(world);
    CHECK(sum(world.published) == world.subscriber->counts().delivered + world.told_missing);
    twice += world.subscriber->counts().duplicates;
  });
  CHECK(twice > 1000);
}

TEST_CASE("what a history gives back is lost to nobody, and the sum over hops is right") {
  std::uint64_t recovered = 0;
  for_seeds(100, [&](std::uint64_t seed, Simulation& dice, ChainOptions options) {
    options.history = {.messages = 20 + dice.below(200), .age = 1h};
    options.duplicate = dice.chance(0.5) ? 0.02 : 0;
    Chain world{seed, options};
    run(world, dice, {.stalls = true, .forwarders_restart = dice.chance(0.5)});
    check(world);
    CHECK(sum(world.published) == world.subscriber->counts().delivered + world.told_missing);
    recovered += world.subscriber->counts().recovered;
  });
  CHECK(recovered > 1000);
}

TEST_CASE(
    "a forwarder's restart is told as a gap, as not kept, unless a history fills it, by seed") {
  std::uint64_t abandoned = 0;
  std::uint64_t cut = 0;
  for_seeds(100, [&](std::uint64_t seed, Simulation& dice, ChainOptions options) {
    const bool keeps = seed % 2 == 0;
    if (keeps) options.history = {.messages = 10'000, .age = 1h};
    Chain world{seed, options};
    run(world, dice, {.stalls = true, .forwarders_restart = true});
    check(world);
    // What a forwarder that is stopped leaves behind stands in its last ledger.
    std::uint64_t in_ledgers = 0;
    for (const Ledger& ledger : world.retired) in_ledgers += ledger.frontend[Cause::abandoned];
    CHECK(in_ledgers >= sum(world.abandoned));
    abandoned += sum(world.abandoned);
    cut += sum(world.cut);
    const std::uint64_t gaps = static_cast<std::uint64_t>(world.told[GapCause::not_kept]);
    for (const auto& [cause, times] : world.told) {
      if (cause != GapCause::not_kept) CHECK(times == 0);
    }
    if (keeps) {
      CHECK(gaps == 0);
      CHECK(world.subscriber->counts().delivered == sum(world.published));
    } else {
      CHECK(world.told_missing == sum(world.dropped()) + sum(world.abandoned) + sum(world.cut) +
                                      sum(world.cut_while_held));
    }
  });
  CHECK(abandoned > 100);
  CHECK(cut > 1000);
}

TEST_CASE("a publisher's restart is told once, as that, beside what was lost of it, by seed") {
  for_seeds(100, [&](std::uint64_t seed, Simulation& dice, ChainOptions options) {
    Chain world{seed, options};
    run(world, dice, {.publisher_restarts = true});
    check(world);
    CHECK(world.told[GapCause::publisher_restarted] == 1);
    CHECK(world.told[GapCause::unanswered] == 0);
    CHECK(world.told[GapCause::no_room] == 0);
    CHECK(world.told[GapCause::name_shared] == 0);
    // What is told with numbers was dropped on the way.
    CHECK((world.told[GapCause::not_kept] > 0) == (world.told_missing > 0));
    CHECK(world.told_missing <= sum(world.dropped()) + sum(world.cut));
  });
}

TEST_CASE("a subscriber's restart is no gap: it joins anew, and is told of no loss before") {
  for_seeds(100, [&](std::uint64_t seed, Simulation& dice, ChainOptions options) {
    options.room = 10'000;
    Chain world{seed, options};
    run(world, dice, {.subscriber_restarts = true});
    check(world);
    for (const auto& [cause, times] : world.told) CHECK(times == 0);
    CHECK(sum(world.dropped()) == 0);
  });
}

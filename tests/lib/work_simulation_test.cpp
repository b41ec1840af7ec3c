#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/protocol/dispatcher.hpp>
#include <busbar/protocol/intake.hpp>
#include <busbar/testing/simulation.hpp>

using namespace busbar;
using namespace busbar::protocol;
using namespace busbar::testing;
using namespace std::chrono_literals;

namespace {

/// A message is known by its pusher's id times this, plus its number.
constexpr std::uint64_t pusher_ids = 1000;

constexpr std::chrono::milliseconds retry_after{100};

/// One pusher and some workers at addresses "0", "1", …, with a faulty link each way.
struct World {
  explicit World(std::uint64_t seed, DispatcherOptions options, Faults faults)
      : time(seed), random(seed), faulty(faults), pusher(options) {}

  struct Worker {
    Worker(Simulation& time, Faults faults) : down(time, faults), up(time, faults) {}
    Link down;  ///< From the pusher.
    Link up;
    std::unique_ptr<Intake> desk;
    int life = 0;
    bool stopped = false;
    std::vector<Multipart> unread;
  };

  void hire(int count) {
    for (int i = 0; i < count; ++i) {
      workers.push_back(std::make_unique<Worker>(time, faulty));
      begin(static_cast<std::size_t>(i));
    }
  }
  void begin(std::size_t i) {
    Worker& worker = *workers[i];
    ++worker.life;
    worker.unread.clear();
    worker.desk = std::make_unique<Intake>(
        IntakeOptions{.credit = static_cast<std::uint32_t>(1 + time.below(5)),
                      .draw = [this] { return random(); }});
    worker.desk->connected("pusher");
    look_after(i, worker.life);
  }
  /// Dies without a word.
  void kill(std::size_t i) {
    workers[i]->desk.reset();
    ++workers[i]->life;
  }
  /// The worker's loop: its timers, and work whenever it has some.
  void look_after(std::size_t i, int life) {
    Worker& worker = *workers[i];
    if (worker.life != life) return;
    if (!worker.stopped) {
      for (Multipart& frames : worker.unread) worker.desk->on_message("pusher", frames, time.now());
      worker.unread.clear();
      worker.desk->on_time(time.now());
      if (auto item = worker.desk->take()) work(i, life, std::move(*item));
      flush(i);
    }
    time.after(100ms, [this, i, life] { look_after(i, life); });
  }
  void work(std::size_t i, int life, Intake::Item item) {
    const std::uint64_t number = item.header.publisher * pusher_ids + item.header.sequence;
    most_attempts = std::max(most_attempts, item.attempt);
    const auto failed = failed_at.find(number);
    // An earlier attempt's copy may be late, and has nothing to wait for.
    if (failed != failed_at.end() && item.attempt > failed->second.attempt &&
        time.now() < failed->second.when + rest_of(item.attempt - 1)) {
      ++too_early;
    }
    if (item.attempt <= 1 && ++given[number] > 1) ++wrongly_first;
    time.after(std::chrono::milliseconds{time.below(300)},
               [this, i, life, number, ticket = item.ticket, attempt = item.attempt] {
                 Worker& worker = *workers[i];
                 if (worker.life != life) return;
                 const bool fails = time.chance(0.05);
                 if (!fails) ++done[number];
                 if (fails) failed_at[number] = {attempt, time.now()};
                 worker.desk->settle(ticket, fails ? Verdict::failed : Verdict::done);
                 if (!worker.stopped) flush(i);
               });
  }
  static std::chrono::milliseconds rest_of(std::uint32_t failures) {
    const int doublings = static_cast<int>(std::min(failures - 1, 20u));
    return std::min<std::chrono::milliseconds>(1min, retry_after * (1 << doublings));
  }
  void flush(std::size_t i) {
    Worker& worker = *workers[i];
    Outgoing out;
    while (worker.desk->next(out)) {
      const auto frames = std::make_shared<Multipart>(std::move(out.frames));
      worker.up.send([this, i, frames] {
        pusher.on_message(std::to_string(i), *frames, time.now());
        flush_pusher();
      });
    }
  }
  void flush_pusher() {
    Outgoing out;
    while (pusher.next(out)) {
      const std::size_t i = std::stoul(out.to);
      const auto frames = std::make_shared<Multipart>(std::move(out.frames));
      workers[i]->down.send([this, i, frames] {
        Worker& worker = *workers[i];
        if (!worker.desk) return;
        Multipart copy = frames->copy();
        if (worker.stopped) {
          worker.unread.push_back(std::move(copy));
        } else {
          worker.desk->on_message("pusher", copy, time.now());
          flush(i);
        }
      });
    }
  }
  void look_after_pusher() {
    pusher.on_time(time.now());
    for (const Job& job : pusher.take_given_up()) ++given_up[job.number];
    flush_pusher();
    time.after(100ms, [this] { look_after_pusher(); });
  }
  /// Kills, stops and starts workers at random.
  void trouble() {
    const std::size_t i = time.below(workers.size());
    Worker& worker = *workers[i];
    switch (time.below(3)) {
      case 0:
        worker.desk ? kill(i) : begin(i);
        break;
      case 1:
        worker.stopped = !worker.stopped;
        break;
      default:
        time.chance(0.5) ? worker.up.cut() : worker.down.cut();
    }
  }
  void heal() {
    for (std::size_t i = 0; i < workers.size(); ++i) {
      workers[i]->stopped = false;
      workers[i]->up.heal();
      workers[i]->down.heal();
      workers[i]->up.set({});
      workers[i]->down.set({});
      if (!workers[i]->desk) begin(i);
    }
  }

  Simulation time;
  std::mt19937_64 random;
  Faults faulty;
  Dispatcher pusher;
  std::vector<std::unique_ptr<Worker>> workers;
  std::map<std::uint64_t, int> given;  ///< How often as a first attempt.
  std::map<std::uint64_t, int> done;
  std::map<std::uint64_t, int> given_up;
  struct Failure {
    std::uint32_t attempt;
    TimePoint when;
  };
  std::map<std::uint64_t, Failure> failed_at;
  std::uint32_t most_attempts = 0;
  int wrongly_first = 0;
  int too_early = 0;  ///< Given again though it had not rested.
};

bool reconciles(const Dispatcher& pusher) {
  const DispatcherCounts c = pusher.counts();
  return c.pushed == c.done + c.given_up + c.lost + c.waiting + c.out;
}

bool reconciles(const Intake& desk) {
  const IntakeCounts c = desk.counts();
  return c.received == c.taken + c.waiting + c.dropped + c.duplicates &&
         c.taken == c.done + c.failed + c.late + c.held;
}

void run(std::uint64_t seed, Faults faults, bool troubled, std::uint32_t attempts_max) {
  CAPTURE(seed);
  const std::uint64_t jobs = 60;
  World world{
      seed,
      {.id = 9, .attempts_max = attempts_max, .retry_after = retry_after, .batch_messages = 4},
      faults};
  world.hire(3);
  world.look_after_pusher();
  for (std::uint64_t i = 0; i < jobs; ++i) {
    world.time.after(std::chrono::milliseconds{world.time.below(10'000)}, [&world] {
      Job job;
      job.payload = Frame{"work", 4};
      world.pusher.push(std::move(job));
      world.flush_pusher();
    });
  }
  for (int i = 0; troubled && i < 12; ++i) {
    world.time.after(std::chrono::milliseconds{world.time.below(20'000)},
                     [&world] { world.trouble(); });
  }
  world.time.after(20s, [&world] { world.heal(); });
  world.time.run_for(20s);
  const bool emptied = world.time.run_until(
      [&] {
        const auto counts = world.pusher.counts();
        return counts.pushed == jobs && counts.waiting + counts.out == 0;
      },
      10min);
  REQUIRE(emptied);
  world.time.run_for(1s);
  CHECK(reconciles(world.pusher));
  for (const auto& worker : world.workers) CHECK(reconciles(*worker->desk));
  int given_up = 0;
  for (std::uint64_t number = 1; number <= jobs; ++number) {
    CAPTURE(number);
    given_up += world.given_up[number];
    // Never lost; and what the pusher took for done was done.
    CHECK(world.done[9 * pusher_ids + number] + world.given_up[number] > 0);
  }
  CHECK(world.pusher.counts().given_up == static_cast<std::uint64_t>(given_up));
  CHECK(world.pusher.bytes() == 0);
  CHECK(world.wrongly_first == 0);
  // Where messages overtake each other, for 20 s, every registration is soon followed by another.
  CHECK(world.most_attempts <= (faults.overtaking ? 500 : 20));
  // A worker that dies may take its answer along; then the death is what counts.
  if (!troubled) CHECK(world.too_early == 0);
}

/// The pusher dies and another one takes its place, which counts from 1 again.
void run_with_restarts(std::uint64_t seed) {
  CAPTURE(seed);
  const std::uint64_t jobs = 30;
  World world{seed, {.id = 1}, {.drop = 0.01, .delay_max = 50ms}};
  world.hire(3);
  world.look_after_pusher();
  std::uint64_t id = 1;
  for (; id <= 4; ++id) {
    world.pusher = Dispatcher{{.id = id, .batch_messages = 4}};
    for (std::uint64_t i = 0; i < jobs; ++i) world.pusher.push({.payload = Frame{"work", 4}});
    world.time.run_for(std::chrono::milliseconds{world.time.below(3000)});
  }
  world.heal();
  REQUIRE(world.time.run_until([&] { return world.pusher.counts().done == jobs; }, 10min));
  for (std::uint64_t number = 1; number <= jobs; ++number) {
    CAPTURE(number);
    CHECK(world.done[(id - 1) * pusher_ids + number] > 0);
  }
  CHECK(reconciles(world.pusher));
  for (const auto& worker : world.workers) CHECK(reconciles(*worker->desk));
  CHECK(world.wrongly_first == 0);
}

std::uint64_t seeds() {
  const char* text = std::getenv("BUSBAR_SEEDS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 2000;
}

}  // namespace

TEST_CASE("over good links with failing workers every message is done, by seed") {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) run(seed, {.delay_max = 50ms}, false, 0);
}

TEST_CASE("workers that die, stop and are cut off lose nothing, by seed") {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) run(seed, {.delay_max = 50ms}, true, 0);
}

TEST_CASE("links that lose, double and reorder lose nothing, by seed") {
  const Faults bad{.drop = 0.03, .duplicate = 0.03, .delay_max = 50ms, .overtaking = true};
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) run(seed, bad, true, 0);
}

TEST_CASE("with a last attempt every message is done or given up, by seed") {
  const Faults bad{.drop = 0.01, .duplicate = 0.01, .delay_max = 50ms};
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) run(seed, bad, true, 2);
}

TEST_CASE("answers to a pusher that died are none to its successor, by seed") {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) run_with_restarts(seed);
}

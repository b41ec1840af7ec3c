#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <climits>
#include <doctest/doctest.h>

#include <busbar/protocol/msgpack_reader.hpp>
#include <busbar/protocol/replier_protocol.hpp>
#include <busbar/protocol/requester_protocol.hpp>
#include <busbar/testing/simulation.hpp>

using namespace busbar;
using namespace busbar::protocol;
using namespace busbar::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds longest_way{40};
/// The longest stop is about a minute, for which a DelayGauge allows clocks to drift by 60 ms.
constexpr std::chrono::milliseconds slack{60};

struct Settings {
  Faults faults{.delay_max = longest_way};
  std::size_t servers = 3;
  Choice choice = Choice::least_loaded;
  double hedge = 0;
  bool queue = false;  ///< One round-robin queue stands before all servers.
  std::uint64_t threads = 1000;
  std::size_t room = 20;                  ///< Of each server.
  std::chrono::milliseconds skew_max{0};  ///< Of the servers' clocks, either way.
  bool gathers = false;                   ///< Every other request waits for the next tick.

  /// Something stands between the requester and a server, and may lose what it was given.
  bool indirect() const { return queue || faults.drop > 0; }
};

/// One requester, and servers that die, stop and are cut off. A connection is an epoch: what was
/// under way when it ended is lost, as with TCP, and until then what is cut off comes later.
struct World {
  struct Server {
    Server(Simulation& time, Faults faults) : to(time, faults), from(time, faults) {}
    Link to;
    Link from;
    std::unique_ptr<ReplierProtocol> desk;
    std::vector<std::shared_ptr<Multipart>> unread;
    int epoch = 0;
    bool stopped = false;
    bool cut = false;
    std::vector<std::shared_ptr<Multipart>> cut_off;
    std::chrono::milliseconds skew{0};
    bool knows = false;              ///< What quick is: its desk took something in time.
    std::set<std::uint64_t> unsure;  ///< Whether these were late it could not know.
  };
  struct Asked {
    TimePoint deadline;
    bool idempotent = false;
    int begun = 0;
    int finished = 0;
    Outcome outcome = Outcome::replied;
  };

  World(std::uint64_t seed, const Settings& how)
      : settings(how),
        time(seed),
        requester({.id = 77,
                   .servers = how.queue ? 1 : how.servers,
                   .choice = how.choice,
                   .attempt_timeout = 500ms,
                   .hedge = how.hedge,
                   .batch_messages = static_cast<std::uint32_t>(1 + seed % 3)}) {
    for (std::size_t i = 0; i < how.servers; ++i) {
      servers.push_back(std::make_unique<Server>(time, how.faults));
      const auto most = static_cast<std::uint64_t>(how.skew_max.count());
      servers.back()->skew = std::chrono::milliseconds{time.below(2 * most + 1)} - how.skew_max;
      start(i);
    }
    if (how.queue) requester.connected(0, time.now());
    tick();
  }

  void start(std::size_t i) {
    servers[i]->desk = std::make_unique<ReplierProtocol>(
        ReplierProtocolOptions{.waiting_max = settings.room, .utc = servers[i]->skew});
    servers[i]->knows = servers[i]->skew.count() >= 0;  // then what is late looks so
    servers[i]->unsure.clear();
    connect(i);
  }
  void connect(std::size_t i) {
    if (settings.queue) return;
    time.after(20ms, [this, i, epoch = servers[i]->epoch] {
      if (servers[i]->epoch == epoch && servers[i]->desk) requester.connected(i, time.now());
      flush();
    });
  }
  void part(std::size_t i) {
    ++servers[i]->epoch;
    servers[i]->unread.clear();
    servers[i]->cut_off.clear();
    if (!settings.queue) requester.disconnected(i, time.now());
  }
  void kill(std::size_t i) {
    servers[i]->desk.reset();
    part(i);
  }

  std::uint64_t ask(std::chrono::milliseconds deadline, bool idempotent) {
    const std::uint64_t number = requester.add({.method = "work",
                                                .payload = Frame{"x", 1},
                                                .deadline = deadline,
                                                .idempotent = idempotent},
                                               time.now());
    asked[number] = {.deadline = time.now() + deadline, .idempotent = idempotent};
    if (!settings.gathers || time.chance(0.5)) flush();
    return number;
  }
  void flush() {
    RequesterProtocol::Send send;
    while (requester.next(send, time.now())) {
      const std::size_t i = settings.queue ? next_worker++ % servers.size() : send.server;
      if (settings.indirect()) send.frames.push_front("client");
      send.frames.push_front("way");
      const auto frames = std::make_shared<Multipart>(std::move(send.frames));
      const bool held = servers[i]->cut && !settings.indirect();
      held ? servers[i]->cut_off.push_back(frames) : send_to(i, frames);
    }
    RequesterProtocol::Finished finished;
    while (requester.take(finished)) {
      Asked& one = asked.at(finished.number);
      ++one.finished;
      one.outcome = finished.outcome;
      if (time.now() > one.deadline + 200ms) ++late_outcomes;
    }
  }
  void send_to(std::size_t i, const std::shared_ptr<Multipart>& frames) {
    servers[i]->to.send([this, i, frames, epoch = servers[i]->epoch] {
      if (servers[i]->epoch == epoch) arrive(i, frames);
    });
  }
  void cut(std::size_t i) {
    servers[i]->cut = true;
    if (settings.indirect()) servers[i]->to.cut();
  }
  void uncut(std::size_t i) {
    servers[i]->cut = false;
    servers[i]->to.heal();
    for (const auto& frames : std::exchange(servers[i]->cut_off, {})) send_to(i, frames);
  }
  void arrive(std::size_t i, const std::shared_ptr<Multipart>& frames) {
    Server& server = *servers[i];
    if (!server.desk) return;
    if (server.stopped) return server.unread.push_back(frames);
    read(i, *frames);
    begin_one(i);
  }
  void read(std::size_t i, Multipart& frames) {
    doubt(*servers[i], frames);
    Multipart copy = frames.copy();
    servers[i]->desk->on_message(copy, time.now());
    answer(i);
  }
  void go_on(std::size_t i) {
    Server& server = *servers[i];
    server.stopped = false;
    for (const auto& frames : std::exchange(server.unread, {})) read(i, *frames);
    for (int n = 0; n < 3; ++n) begin_one(i);
  }
  static std::vector<RequestHead> requests_in(const Multipart& frames) {
    const std::string_view last = frames.text(frames.size() - 1);
    std::string_view records;
    auto head = decode_correlation(last, records);  // of a batch
    if (!head) head = decode_correlation(frames.text(frames.size() - (last.empty() ? 2 : 3)));
    REQUIRE(head);
    if (const auto* request = std::get_if<RequestHead>(&*head)) return {*request};
    if (!std::holds_alternative<BatchHead>(*head)) return {};
    std::vector<RequestHead> requests;
    MsgpackReader in{records};
    while (!in.at_end()) {
      requests.push_back(std::get<RequestHead>(*decode_correlation(*in.bytes())));
      REQUIRE(in.bytes());
    }
    return requests;
  }
  /// Of what lay about for a while a server may not know that it did: until something comes in
  /// time, and again once it was told that something had which had not.
  void doubt(Server& server, const Multipart& frames) {
    const auto at =
        std::chrono::duration_cast<std::chrono::milliseconds>(time.now().time_since_epoch());
    for (const RequestHead& request : requests_in(frames)) {
      const auto way =
          static_cast<std::uint32_t>(static_cast<std::uint64_t>(at.count()) - request.sent);
      const bool late = way > longest_way.count();
      server.knows = !late || (server.knows && !request.wanted);
      if (!server.knows) server.unsure.insert(request.key.number);
    }
  }
  void begin_one(std::size_t i) {
    Server& server = *servers[i];
    const auto job = std::make_shared<ReplierProtocol::Job>();
    if (!server.desk || server.stopped) return;
    const bool busy = server.desk->counts().running >= settings.threads;
    if (busy || !server.desk->take(*job, time.now())) return answer(i);
    Asked& one = asked.at(job->key.number);
    ++one.begun;
    const bool sure = server.unsure.count(job->key.number) == 0;
    if (sure && time.now() > one.deadline + longest_way + slack) ++begun_late;
    answer(i);
    finish_later(i, job, server.epoch);
  }
  void finish_later(std::size_t i, const std::shared_ptr<ReplierProtocol::Job>& job, int epoch) {
    time.after(std::chrono::milliseconds{time.below(60)}, [this, i, job, epoch] {
      Server& server = *servers[i];
      if (server.epoch != epoch || !server.desk) return;
      if (server.stopped) return finish_later(i, job, epoch);
      if (server.desk->reply(*job, job->reply("y"))) send_back(i, std::move(job->frames));
      begin_one(i);
    });
  }
  void answer(std::size_t i) {
    Multipart frames;
    while (servers[i]->desk && servers[i]->desk->next(frames)) send_back(i, std::move(frames));
  }
  void send_back(std::size_t i, Multipart message) {
    message.pop_front();
    if (settings.indirect()) message.pop_front();
    const auto frames = std::make_shared<Multipart>(std::move(message));
    servers[i]->from.send([this, i, frames, epoch = servers[i]->epoch] {
      if (servers[i]->epoch != epoch) return;
      Multipart copy = frames->copy();
      requester.on_message(settings.queue ? 0 : i, copy, time.now());
      flush();
    });
  }
  void tick() {
    requester.on_time(time.now());
    flush();
    for (std::size_t i = 0; i < servers.size(); ++i) {
      if (servers[i]->desk) servers[i]->desk->flush();
      begin_one(i);
    }
    time.after(10ms, [this] { tick(); });
  }
  void trouble() {
    const std::size_t i = time.below(servers.size());
    Server& server = *servers[i];
    switch (time.below(4)) {
      case 0:
        server.desk ? kill(i) : start(i);
        break;
      case 1:
        server.stopped ? go_on(i) : void(server.stopped = true);
        break;
      case 2:
        if (server.desk && !settings.queue) {
          part(i);
          connect(i);
        }
        break;
      default:
        time.chance(0.5) ? cut(i) : uncut(i);
    }
    flush();
  }
  void heal() {
    for (std::size_t i = 0; i < servers.size(); ++i) {
      if (servers[i]->stopped) go_on(i);
      if (!servers[i]->desk) start(i);
      uncut(i);
      servers[i]->to.set({.delay_max = longest_way});
      servers[i]->from.set({.delay_max = longest_way});
    }
    flush();
  }
  void check() {
    std::map<Outcome, std::uint64_t> outcomes;
    for (const auto& asking : asked) {
      const std::uint64_t number = asking.first;
      const auto& one = asking.second;
      CAPTURE(number);
      CAPTURE(name_of(one.outcome));
      CHECK(one.finished == 1);
      if (!one.idempotent) CHECK(one.begun <= 1);
      if (one.outcome == Outcome::replied) CHECK(one.begun >= 1);
      const bool never = one.outcome == Outcome::no_peer || one.outcome == Outcome::refused;
      if (never && !one.idempotent) CHECK(one.begun == 0);
      ++outcomes[one.outcome];
    }
    CHECK(late_outcomes == 0);
    CHECK(begun_late == 0);
    const RequesterCounts& counts = requester.counts();
    CHECK(counts.in_flight == 0);
    CHECK(counts.requested == asked.size());
    CHECK(counts.malformed == 0);
    for (const auto& [outcome, count] : outcomes)
      CHECK(counts.outcomes[static_cast<std::size_t>(outcome)] == count);
    for (std::size_t i = 0; i < (settings.queue ? 1 : servers.size()); ++i)
      CHECK(requester.outstanding(i) == 0);
    for (const auto& server : servers) {
      if (!server->desk) continue;
      const ReplierCounts& c = server->desk->counts();
      CHECK(c.received == c.replied + c.failed + c.refused + c.expired + c.unavailable +
                              c.cancelled + c.duplicates + c.malformed + c.waiting + c.running);
    }
  }

  Settings settings;
  Simulation time;
  RequesterProtocol requester;
  std::vector<std::unique_ptr<Server>> servers;
  std::map<std::uint64_t, Asked> asked;
  std::size_t next_worker = 0;
  int late_outcomes = 0;
  int begun_late = 0;
};

std::uint64_t seeds() {
  const char* many = std::getenv("BUSBAR_SEEDS");
  return many == nullptr ? 500 : std::strtoull(many, nullptr, 10);
}

/// Requests of both kinds all the while, with trouble now and then for half a minute.
void run(std::uint64_t seed, const Settings& settings) {
  CAPTURE(seed);
  World world{seed, settings};
  for (int i = 0; i < 150; ++i) {
    if (world.time.chance(0.2)) world.trouble();
    const bool idempotent = world.time.chance(0.5);
    const auto longest = idempotent ? 60'000u : 2'000u;
    const std::chrono::milliseconds deadline{100 + world.time.below(longest)};
    const std::uint64_t number = world.ask(deadline, idempotent);
    if (world.time.chance(0.1)) {
      world.time.after(std::chrono::milliseconds{world.time.below(100)}, [&world, number] {
        world.requester.cancel(number);
        world.flush();
      });
    }
    world.time.run_for(std::chrono::milliseconds{world.time.below(200)});
  }
  const TimePoint trouble_ends = world.time.now();
  world.heal();
  world.time.run_for(2min);
  world.check();
  for (const auto& asking : world.asked) {
    const std::uint64_t number = asking.first;
    const auto& one = asking.second;
    if (!one.idempotent || one.outcome == Outcome::cancelled) continue;
    CAPTURE(number);
    // A server lived for so long that it had to be answered.
    if (one.deadline > trouble_ends + 10s) CHECK(one.outcome == Outcome::replied);
  }
}

}  // namespace

TEST_CASE("requests under restarts, stops and cuts: at most once, or answered by whoever lives") {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    run(seed, {.choice = seed % 2 == 0 ? Choice::failover : Choice::least_loaded,
               .hedge = seed % 3 == 0 ? 0.1 : 0,
               .gathers = true});
  }
}

TEST_CASE("requests under loss and duplication as well") {
  const Faults faults{.drop = 0.05, .duplicate = 0.1, .delay_max = longest_way, .overtaking = true};
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed)
    run(seed, {.faults = faults, .gathers = true});
}

TEST_CASE("requests to servers whose clocks are wrong, in either direction") {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed)
    run(seed, {.skew_max = 100s, .gathers = true});
}

TEST_CASE("servers that are full give back, and no request is swallowed, whatever clocks say") {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    CAPTURE(seed);
    World world{seed, {.threads = 1, .room = 1, .skew_max = 30s}};
    world.time.run_for(1s);
    for (int i = 0; i < 150; ++i) {
      world.ask(i % 2 == 0 ? 20s : 1min, i % 2 != 0);
      world.time.run_for(std::chrono::milliseconds{world.time.below(20)});
    }
    world.time.run_for(2min);
    world.check();
    for (const auto& asking : world.asked) {
      const auto& one = asking.second;
      CAPTURE(name_of(one.outcome));
      CHECK((one.outcome == Outcome::replied ||
             (one.outcome == Outcome::refused && !one.idempotent)));
    }
    CHECK(world.requester.counts().outcomes[static_cast<std::size_t>(Outcome::refused)] > 0);
  }
}

TEST_CASE("requests through a queue whose workers die and stop") {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed)
    run(seed,
        {.faults = {.duplicate = 0.05, .delay_max = longest_way}, .queue = true, .gathers = true});
}

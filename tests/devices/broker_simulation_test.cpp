// A broker, its clients and its workers of both versions, under loss, duplication, delay and
// restarts.
#include "support/broker_simulation.hpp"

#include <algorithm>
#include <map>
#include <memory>

#include <doctest/doctest.h>

using namespace busbar;
using namespace busbar::detail;
using namespace std::chrono_literals;
namespace majordomo = busbar::protocol::majordomo;
using majordomo::Command, majordomo::Role, majordomo::Version;
using testing::BrokerSimulation, testing::Faults;
constexpr WorkerRules rules = BrokerSimulation::rules;

namespace {

/// Works on one request at a time, as the RFCs' workers do; starts anew on DISCONNECT or silence.
class SimWorker {
 public:
  SimWorker(BrokerSimulation& world, Version version, std::map<std::string, int>& runs)
      : world_(world), dialect_(majordomo::dialect_of(version)), runs_(runs) {
    start();
    beat();
  }
  void restart() {
    world_.disconnect(peer_);
    start();
  }

 private:
  void start() {
    peer_ = world_.connect([this, life = ++life_](const Multipart& frames) {
      if (life == life_) hear(frames);
    });
    heard_ = world_.sim.now();
    tell(Command::ready, "echo");
  }
  void tell(Command command, std::string_view service = {}) {
    Multipart frames;
    put_command(frames, dialect_, command, service);
    world_.say(peer_, std::move(frames));
  }
  void beat() {
    if (world_.sim.now() - heard_ > rules.expiry) {
      restart();
    } else {
      tell(Command::heartbeat);
    }
    world_.sim.after(rules.heartbeat, [this] { beat(); });
  }
  void hear(const Multipart& frames) {
    const auto message = majordomo::read(frames, 0, false);
    REQUIRE(message);
    heard_ = world_.sim.now();
    if (message->command == Command::disconnect) return restart();
    if (message->command != Command::request) return;
    const std::string body{frames.text(message->body)};
    ++runs_[body];
    const std::string client{frames.text(message->subject)};
    const auto delay = std::chrono::milliseconds{world_.sim.below(50)};
    world_.sim.after(delay, [this, life = life_, client, body] {
      if (life != life_) return;
      if (dialect_.version == Version::v02 && world_.sim.chance(0.5)) {
        answer(Command::partial, client, body.substr(0, 1));
        answer(Command::final, client, body.substr(1));
      } else {
        answer(Command::final, client, body);
      }
    });
  }
  void answer(Command command, const std::string& client, const std::string& body) {
    Multipart frames;
    put_head(frames, Role::worker, dialect_, command);
    frames.push_back(client);
    frames.push_back(std::string_view{});
    frames.push_back(body);
    world_.say(peer_, std::move(frames));
  }

  BrokerSimulation& world_;
  majordomo::Dialect dialect_;
  std::map<std::string, int>& runs_;
  BrokerSimulation::Peer* peer_ = nullptr;
  int life_ = 0;
  TimePoint heard_{};
};

/// Asks one thing after the other, each until it is answered, with a new socket for each try.
class SimClient {
 public:
  SimClient(BrokerSimulation& world, Version version, std::string name, int questions)
      : world_(world),
        dialect_(majordomo::dialect_of(version)),
        name_(std::move(name)),
        left_(questions) {
    ask();
  }
  bool done() const { return left_ == 0; }
  std::map<std::string, int> asked;  ///< How often each was sent.

 private:
  std::string question() const { return name_ + std::to_string(left_); }
  void ask() {
    if (done()) return;
    if (peer_ != nullptr) world_.disconnect(peer_);
    answer_.clear();
    peer_ = world_.connect([this, life = ++life_](const Multipart& frames) {
      if (life == life_) hear(frames);
    });
    Multipart frames;
    put_head(frames, Role::client, dialect_, Command::request);
    frames.push_back(std::string_view{"echo"});
    frames.push_back(question());
    ++asked[question()];
    world_.say(peer_, std::move(frames));
    world_.sim.after(700ms, [this, life = life_] {
      if (life == life_) ask();
    });
  }
  void hear(const Multipart& frames) {
    const auto message = majordomo::read(frames, 0, false);
    REQUIRE(message);
    REQUIRE(frames.text(message->subject) == "echo");
    // A part may be lost or doubled on the link, which says nothing of the broker.
    for (std::size_t i = message->body; i < frames.size(); ++i) answer_ += frames.text(i);
    if (message->command != Command::final) return;
    if (answer_ != question()) {
      if (faultless_) FAIL("answered with " << answer_);
      answer_.clear();
      return;
    }
    --left_;
    ask();
  }

 public:
  void expect_no_faults() { faultless_ = true; }

 private:
  BrokerSimulation& world_;
  majordomo::Dialect dialect_;
  std::string name_;
  int left_;
  BrokerSimulation::Peer* peer_ = nullptr;
  int life_ = 0;
  std::string answer_;
  bool faultless_ = false;
};

void run(std::uint64_t seed, Faults faults, bool restarts) {
  CAPTURE(seed);
  BrokerSimulation world{seed, faults, static_cast<std::uint32_t>(1 + seed % 3)};
  std::map<std::string, int> runs;
  std::vector<std::unique_ptr<SimWorker>> workers;
  for (const Version version : {Version::v01, Version::v02, Version::v02}) {
    workers.push_back(std::make_unique<SimWorker>(world, version, runs));
  }
  std::vector<std::unique_ptr<SimClient>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<SimClient>(world, i % 2 == 0 ? Version::v01 : Version::v02,
                                                  "c" + std::to_string(i) + "-", 5));
    if (faults.drop == 0 && faults.duplicate == 0 && !restarts) clients.back()->expect_no_faults();
  }
  if (restarts) {
    for (int i = 0; i < 5; ++i) {
      world.sim.after(std::chrono::milliseconds{world.sim.below(3000)}, [&world, &workers] {
        const std::uint64_t who = world.sim.below(workers.size() + 1);
        if (who == workers.size()) return world.restart_broker();
        workers[who]->restart();
      });
    }
  }
  world.sim.run_for(5s);
  world.set({.delay_max = 5ms});
  const auto done = [&] {
    return std::all_of(clients.begin(), clients.end(), [](const auto& c) { return c->done(); });
  };
  REQUIRE(world.sim.run_until(done, 60s));
  if (faults.duplicate > 0) return;
  for (const auto& client : clients) {
    for (const auto& asked : client->asked) {
      const auto& question = asked.first;
      const auto times = asked.second;
      INFO(question);
      REQUIRE(runs[question] <= times);
    }
  }
}

}  // namespace

TEST_CASE("every request is answered, and none is worked on more often than it was sent") {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) run(seed, {.delay_max = 20ms}, false);
}

TEST_CASE("the same with losses and delays, once it is asked again") {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    run(seed, {.drop = 0.1, .delay_max = 60ms}, false);
  }
}

TEST_CASE("the same with duplicates and overtaking") {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    run(seed, {.drop = 0.05, .duplicate = 0.1, .delay_max = 60ms, .overtaking = true}, false);
  }
}

TEST_CASE("the same with brokers and workers that start anew") {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    run(seed, {.drop = 0.05, .delay_max = 30ms}, true);
  }
}

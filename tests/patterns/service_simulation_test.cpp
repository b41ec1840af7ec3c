// Our worker's and our client's machines with our broker, under losses of connections, delay and
// restarts.
#include "support/broker_simulation.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <doctest/doctest.h>

#include <busbar/patterns/internal/call_protocol.hpp>
#include <busbar/patterns/internal/worker_protocol.hpp>

using namespace busbar;
using namespace busbar::detail;
using namespace std::chrono_literals;
namespace majordomo = busbar::protocol::majordomo;
using majordomo::Version;
using testing::BrokerSimulation, testing::Faults;

namespace {

struct Handling {
  double throws = 0.1;
  std::uint64_t longest_ms = 50;
};

class SimWorker {
 public:
  SimWorker(BrokerSimulation& world, Version version, std::map<std::string, int>& runs,
            Handling handling = {})
      : world_(world), version_(version), runs_(runs), handling_(handling) {
    restart();
    turn();
  }
  void restart() {
    machine_.emplace(WorkerProtocol::Options{.service = "echo",
                                             .dialect = majordomo::dialect_of(version_),
                                             .heartbeat = 100ms,
                                             .expiry = 400ms});
    leaves_ = false;
    connect();
  }
  /// Another one comes in its place when it has gone.
  void leave() {
    leaves_ = true;
    machine_->leave(world_.sim.now());
    send();
  }

 private:
  void connect() {
    if (peer_ != nullptr) world_.disconnect(peer_);
    peer_ = world_.connect([this, life = ++life_](const Multipart& frames) {
      if (life == life_) hear(frames);
    });
    machine_->connected(world_.sim.now());
    send();
  }
  void send() {
    Multipart frames;
    while (machine_->next(frames)) world_.say(peer_, std::move(frames));
  }
  void turn() {
    machine_->on_time(world_.sim.now());
    if (leaves_ && machine_->may_go(world_.sim.now())) restart();
    if (machine_->wants_socket(world_.sim.now())) connect();
    send();
    world_.sim.after(20ms, [this] { turn(); });
  }
  void hear(const Multipart& heard) {
    Multipart frames;
    for (const Frame& frame : heard) frames.push_back(text(frame));
    auto request = machine_->on_message(frames, world_.sim.now());
    if (!request) return;
    const std::string body{request->body.text(0)};
    ++runs_[body];
    world_.sim.after(
        std::chrono::milliseconds{world_.sim.below(handling_.longest_ms)},
        [this, life = life_, number = request->number, body] {
          if (life != life_) return;
          if (world_.sim.chance(handling_.throws)) {  // its handler threw
            machine_->give_up(number, world_.sim.now());
          } else if (world_.sim.chance(0.5)) {
            machine_->answer(number, Multipart{body.substr(0, 1)}, false, world_.sim.now());
            machine_->answer(number, Multipart{body.substr(1)}, true, world_.sim.now());
          } else {
            machine_->answer(number, Multipart{body}, true, world_.sim.now());
          }
          send();
        });
  }

  BrokerSimulation& world_;
  Version version_;
  std::map<std::string, int>& runs_;
  Handling handling_;
  std::optional<WorkerProtocol> machine_;
  bool leaves_ = false;
  BrokerSimulation::Peer* peer_ = nullptr;
  int life_ = 0;
};

/// Calls, one after the other; an idempotent one is asked again within its time.
class SimClient {
 public:
  SimClient(BrokerSimulation& world, Version version, bool idempotent, std::string name,
            std::chrono::milliseconds timeout = 3s)
      : world_(world),
        version_(version),
        idempotent_(idempotent),
        name_(std::move(name)),
        timeout_(timeout) {
    call();
  }
  std::map<std::string, int> asked;
  int answered = 0;
  int given_up = 0;
  std::set<std::string> unanswered;

 private:
  void call() {
    question_ = name_ + std::to_string(answered + given_up);
    protocol_.emplace(world_.sim.now(),
                      CallProtocol::Options{.timeout = timeout_,
                                            .attempt = idempotent_ ? 300ms : 1s,
                                            .idempotent = idempotent_,
                                            .brokers = 2},
                      BrokerState::lost);  // so each has a connection of its own
    ++life_;
    wait();
  }
  /// Of the two brokers one may just not be there: that asks nobody.
  void connect() {
    if (peer_ != nullptr) world_.disconnect(std::exchange(peer_, nullptr));
    answer_.clear();
    const int life = ++life_;
    const bool there = world_.sim.chance(0.7);
    if (there) {
      peer_ = world_.connect([this, life](const Multipart& frames) {
        if (life == life_) hear(frames);
      });
    }
    world_.sim.after(std::chrono::milliseconds{world_.sim.below(20)}, [this, life, there] {
      if (life != life_) return;
      protocol_->on_news(there ? BrokerState::connected : BrokerState::unreachable,
                         world_.sim.now());
      wait();
    });
  }
  void ask() {
    REQUIRE(peer_ != nullptr);
    Multipart frames;
    put_head(frames, majordomo::Role::client, majordomo::dialect_of(version_),
             majordomo::Command::request);
    frames.push_back(std::string_view{"echo"});
    frames.push_back(question_);
    ++asked[question_];
    world_.say(peer_, std::move(frames));
  }
  void wait() {
    switch (protocol_->step(world_.sim.now())) {
      case CallProtocol::Step::wait:
        break;
      case CallProtocol::Step::connect:
        connect();
        return wait();
      case CallProtocol::Step::send:
        ask();
        return wait();
      case CallProtocol::Step::give_up:
        ++given_up;
        unanswered.insert(question_);
        return call();
    }
    world_.sim.at(protocol_->next_deadline(), [this, wake = ++wake_] {
      if (wake == wake_) wait();
    });
  }
  void hear(const Multipart& frames) {
    const auto message = majordomo::read(frames, 0, false);
    REQUIRE(message);
    for (std::size_t i = message->body; i < frames.size(); ++i) answer_ += frames.text(i);
    if (message->command != majordomo::Command::final) return;
    REQUIRE(answer_ == question_);
    ++answered;
    ++life_;
    call();
  }

  BrokerSimulation& world_;
  Version version_;
  bool idempotent_;
  std::string name_;
  std::chrono::milliseconds timeout_;
  std::string question_;
  std::string answer_;
  std::optional<CallProtocol> protocol_;
  BrokerSimulation::Peer* peer_ = nullptr;
  int life_ = 0;
  int wake_ = 0;
};

void run(std::uint64_t seed, Faults faults) {
  CAPTURE(seed);
  BrokerSimulation world{seed, faults, static_cast<std::uint32_t>(1 + seed % 3)};
  std::map<std::string, int> runs;
  std::vector<std::unique_ptr<SimWorker>> workers;
  std::vector<std::unique_ptr<SimClient>> clients;
  for (int i = 0; i < 4; ++i) {
    const Version version = i % 2 == 0 ? Version::v01 : Version::v02;
    workers.push_back(std::make_unique<SimWorker>(world, version, runs));
    clients.push_back(
        std::make_unique<SimClient>(world, version, i < 2, "c" + std::to_string(i) + "-"));
  }
  for (int i = 0; i < 5; ++i) {
    world.sim.after(std::chrono::milliseconds{world.sim.below(5000)}, [&] {
      const std::uint64_t who = world.sim.below(workers.size() + 1);
      if (who == workers.size()) return world.restart_broker();
      if (world.sim.chance(0.5)) return workers[who]->leave();
      workers[who]->restart();
    });
  }
  world.sim.run_for(10s);
  // The idempotent ones are answered, whatever happens: a worker always comes back.
  for (std::size_t i = 0; i < 2; ++i) {
    REQUIRE(clients[i]->answered > 10);
    REQUIRE(clients[i]->given_up == 0);
  }
  for (const auto& client : clients) {
    for (const auto& [question, times] : client->asked) REQUIRE(runs[question] <= times);
  }
  for (const auto& [question, times] : runs) {
    if (question.starts_with("c2") || question.starts_with("c3")) REQUIRE(times <= 1);
  }
}

/// Without faults; a handler may take longer than anybody may be silent.
void run_leaving(std::uint64_t seed) {
  CAPTURE(seed);
  BrokerSimulation world{seed, {.delay_max = 10ms}, static_cast<std::uint32_t>(1 + seed % 3)};
  std::map<std::string, int> runs;
  std::vector<std::unique_ptr<SimWorker>> workers;
  std::vector<std::unique_ptr<SimClient>> clients;
  for (int i = 0; i < 4; ++i) {
    const Version version = i % 2 == 0 ? Version::v01 : Version::v02;
    workers.push_back(std::make_unique<SimWorker>(world, version, runs,
                                                  Handling{.throws = 0, .longest_ms = 700}));
    for (const char* name : {"a", "b"}) {
      clients.push_back(
          std::make_unique<SimClient>(world, version, false, name + std::to_string(i) + "-", 10s));
    }
  }
  for (int i = 0; i < 20; ++i) {
    world.sim.after(std::chrono::milliseconds{world.sim.below(20'000)},
                    [&] { workers[world.sim.below(workers.size())]->leave(); });
  }
  world.sim.run_for(25s);
  for (const auto& client : clients) {
    REQUIRE(client->answered > 2);
    for (const std::string& question : client->unanswered) {
      INFO(question);
      REQUIRE(runs[question] == 0);
    }
  }
}

}  // namespace

TEST_CASE("what a worker took is answered, though it leaves meanwhile") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) run_leaving(seed);
}

TEST_CASE("an idempotent call is answered, and another one is worked on at most once") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) run(seed, {.delay_max = 10ms});
}

TEST_CASE("the same while connections break") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) run(seed, {.drop = 0.02, .delay_max = 20ms});
}

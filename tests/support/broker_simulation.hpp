/// A broker in virtual time, with faulty connections to its clients and workers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/devices/internal/broker.hpp>
#include <busbar/testing/simulation.hpp>

namespace busbar::testing {

/// Peers are known by their routing ids; one that restarts has a new one, as a new socket has. What
/// ZeroMQ loses it loses with the connection, and all that is under way on it; the peer is
/// connected again under a new id, and neither side is told. So that is what `drop` does here.
class BrokerSimulation final : public detail::BrokerOutlet {
 public:
  static constexpr detail::WorkerRules rules{.heartbeat = std::chrono::milliseconds{100},
                                             .expiry = std::chrono::milliseconds{400},
                                             .hold_messages = 8,
                                             .hold_bytes = 4096,
                                             .hold_age = std::chrono::milliseconds{2000}};

  BrokerSimulation(std::uint64_t seed, Faults faults, std::uint32_t prefetch = 1)
      : sim(seed), rules_(rules) {
    rules_.prefetch = prefetch;
    set(faults);
    start_broker();
  }

  struct Peer {
    std::string id;
    std::function<void(const Multipart&)> hear;
    Link up;
    Link down;
    bool alive = true;
  };
  Peer* connect(std::function<void(const Multipart&)> hear) {
    const std::string id = "p" + std::to_string(++ids_);
    auto& slot = peers_[id] =
        std::make_unique<Peer>(Peer{id, std::move(hear), Link{sim, faults_}, Link{sim, faults_}});
    return slot.get();
  }
  void disconnect(const Peer* peer) {
    auto at = peers_.find(peer->id);
    at->second->alive = false;
    graves_.push_back(std::move(at->second));
    peers_.erase(at);
  }
  /// From a peer to the broker.
  void say(Peer* peer, Multipart frames) {
    if (sim.chance(drop_)) break_connection(peer);
    frames.push_front(std::string_view{peer->id});
    auto shared = std::make_shared<Multipart>(std::move(frames));
    peer->up.send([this, shared, peer, id = peer->id] {
      if (peer->id != id) return;
      Multipart copy = shared->copy();
      broker_->on_message(copy, sim.now());
      check();
    });
  }
  void restart_broker() { start_broker(); }
  void set(Faults faults) {
    drop_ = std::exchange(faults.drop, 0);
    faults_ = faults;
    for (auto& [id, peer] : peers_) {
      peer->up.set(faults);
      peer->down.set(faults);
    }
  }
  void check() const {
    Ledger ledger;
    ledger.frontend = clients_;
    ledger.backend = workers_;
    ledger.requests = requests_;
    REQUIRE(ledger.reconciles());
    REQUIRE(broker_->held() <= rules.hold_messages);
  }

  Simulation sim;

 private:
  void start_broker() {
    clients_ = {};
    workers_ = {};
    requests_ = {};
    broker_ = std::make_unique<detail::Broker>(
        detail::Broker::Wire::majordomo, rules_,
        detail::Broker::Books{clients_, workers_, services_, requests_}, *this);
    tick(++generation_);
  }
  void tick(int generation) {
    if (generation != generation_) return;
    broker_->on_time(sim.now());
    check();
    sim.at(broker_->next_deadline(), [this, generation] { tick(generation); });
  }
  Result to_client(Multipart& message) override { return send(message); }
  Result to_worker(Multipart& message) override { return send(message); }
  Result send(Multipart& message) {
    const auto at = peers_.find(std::string{message.text(0)});
    if (at == peers_.end()) return Result::gone;
    Peer* const peer = at->second.get();
    message.pop_front();
    auto shared = std::make_shared<Multipart>(std::move(message));
    message.clear();
    peer->down.send([peer, shared, id = peer->id] {
      if (peer->id == id && peer->alive) peer->hear(*shared);
    });
    if (sim.chance(drop_)) break_connection(peer);
    return Result::sent;
  }
  void break_connection(Peer* peer) {
    if (!peer->alive) return;
    auto owned = std::move(peers_.at(peer->id));
    peers_.erase(peer->id);
    peer->id = "p" + std::to_string(++ids_);
    peers_[peer->id] = std::move(owned);
  }

  detail::WorkerRules rules_;
  Faults faults_;
  double drop_ = 0;
  std::map<std::string, std::unique_ptr<Peer>> peers_;
  std::vector<std::unique_ptr<Peer>> graves_;  // messages may still be under way to them
  int ids_ = 0;
  int generation_ = 0;
  SideLedger clients_;
  SideLedger workers_;
  detail::TopicTable services_;
  RequestLedger requests_;
  std::unique_ptr<detail::Broker> broker_;
};

}  // namespace busbar::testing

/// Requests to workers that are free: the machine behind services and the queue's `ready`.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <busbar/core/clock.hpp>
#include <busbar/core/ledger.hpp>
#include <busbar/core/multipart.hpp>
#include <busbar/devices/internal/topic_table.hpp>
#include <busbar/devices/internal/worker_rules.hpp>
#include <busbar/protocol/majordomo.hpp>

namespace busbar::detail {

/// Where a broker's messages go. The first frame is the peer's routing id.
class BrokerOutlet {
 public:
  enum class Result {
    sent,  ///< The message is empty now.
    full,  ///< The peer does not read. The message is untouched.
    gone,  ///< There is no such peer. The message is untouched.
    lost,  ///< The peer went away in the middle of it, and the message is gone.
  };
  virtual Result to_client(Multipart& message) = 0;
  virtual Result to_worker(Multipart& message) = 0;

 protected:
  ~BrokerOutlet() = default;
};

/// A Majordomo broker (`on_message`), or a Paranoid and Simple Pirate queue (`on_pirate_request`
/// and `on_pirate`), whose workers all serve one service without a name. No sockets, threads or
/// clocks. A worker that is free is next, the one that has waited longest; then one that may have
/// more (WorkerRules::prefetch), and what nobody has room for is held. It books all but what its
/// outlet's owner takes out before.
class Broker {
 public:
  enum class Wire : std::uint8_t { majordomo, pirate };
  struct Books {
    SideLedger& clients;
    SideLedger& workers;
    TopicTable& services;
    RequestLedger& requests;
  };
  Broker(Wire wire, const WorkerRules& rules, Books books, BrokerOutlet& outlet);
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  /// Majordomo, both versions, clients and workers. The frames begin with the routing id.
  void on_message(Multipart& frames, TimePoint now);
  /// Pirates, likewise. A request is in the books as received already.
  void on_pirate_request(Multipart& frames, TimePoint now);
  void on_pirate(Multipart& frames, TimePoint now);

  /// Heartbeats, dead workers, requests that were held for too long.
  void on_time(TimePoint now);
  TimePoint next_deadline() const noexcept { return next_sweep_; }
  /// While it is closed no request goes to a worker; answers go on.
  void set_open(bool open);

  /// Pirates: whether a worker is free.
  bool has_free_worker() const noexcept;
  std::size_t held() const noexcept { return held_; }
  /// Some of it can be served: a service without a worker has nobody to wait for.
  bool holds_for_workers() const noexcept;
  /// The services that are held for and have no worker, and how many requests each: 5 at most.
  std::vector<std::pair<std::string, std::size_t>> unserved() const;
  /// Requests that workers have.
  std::uint64_t given() const noexcept { return books_.requests.with_workers; }
  /// Sends the workers away; answers how many held requests are abandoned.
  std::uint64_t leave();

 private:
  struct Asker {
    protocol::majordomo::Dialect dialect = {};
    std::size_t body = 0;  ///< Where the body begins in the request's frames.
  };
  struct Held {
    Multipart frames;
    Asker asker;
    std::size_t bytes;
    TimePoint since;
  };
  /// A request that a worker has.
  struct Given {
    std::string client = {};
    Asker asker = {};
    /// What the worker has said so far, for a client whose version knows no parts.
    Multipart parts = {};
    std::uint64_t parts_messages = 0;
    std::size_t parts_bytes = 0;
    bool parts_too_large = false;
    /// A part found no room at the client: what follows would look whole.
    bool broken = false;
  };
  struct Service;
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  template <class Value>
  using ByName = std::unordered_map<std::string, Value, Hash, std::equal_to<>>;
  struct Worker {
    Service* service = nullptr;
    ByName<Worker>::value_type* self = nullptr;
    std::list<Worker*>* list = nullptr;  ///< Of the service's: see list_of.
    std::list<Worker*>::iterator place = {};
    protocol::majordomo::Dialect dialect = {};
    TimePoint heard = {};
    bool beats_at_work = false;     ///< It showed that it lives while it had a request.
    bool leaves = false;            ///< It answers what it has, and is given no more.
    bool gone = false;              ///< Its connection is; what it said last may be unread.
    std::vector<Given> given = {};  ///< In the order in which it got them.
    bool busy() const noexcept { return !given.empty(); }
  };
  struct Service {
    ByName<Service>::value_type* self = nullptr;
    std::list<Worker*> free = {};  ///< The one that has waited longest first.
    std::list<Worker*> open = {};  ///< Busy, with room for more; likewise.
    std::list<Worker*> full = {};
    std::list<Worker*> leaving = {};  ///< Nothing is to be hoped for of them.
    std::deque<Held> held = {};
    bool has_workers() const noexcept { return !free.empty() || !open.empty() || !full.empty(); }
    bool has_room() const noexcept { return !free.empty() || !open.empty(); }
  };
  using Message = protocol::majordomo::Message;

  void on_client(Multipart& frames, const Message& message, TimePoint now);
  void on_worker(Multipart& frames, const Message& message, TimePoint now);
  void register_worker(Multipart& frames, const Message& message, TimePoint now);
  void answer_mmi(Multipart& frames, const Message& message);
  void on_answer(Worker& worker, Multipart& frames, const Message& message, TimePoint now);
  void collect(Given& given, Multipart& frames, std::size_t body);
  std::uint64_t drop_parts(Given& given);
  void refuse(Multipart& frames);
  void violated(Multipart& frames, protocol::majordomo::Dialect dialect);

  void accept(Service& service, Multipart& frames, const Asker& asker, TimePoint now);
  bool hand(Service& service, Multipart& frames, const Asker& asker);
  void hold(Service& service, Multipart& frames, const Asker& asker, TimePoint now);
  void serve_held(Service& service);
  void put_request(const Worker& worker, Multipart& frames, const Asker& asker);
  void take_request_back(Multipart& frames, const Asker& asker);
  bool send_answer(Multipart& answer, std::uint64_t messages);

  Service& service_named(std::string_view name);
  void drop_if_idle(Service& service);
  Worker* find(std::string_view id);
  Worker* add_worker(std::string_view id, Service& service, TimePoint now);
  std::list<Worker*>& list_of(const Worker& worker) const noexcept;
  void relist(Worker& worker) noexcept;
  void give(Worker& worker, std::string_view client, const Asker& asker);
  void take_back(Worker& worker, std::vector<Given>::iterator given, bool answered);
  static std::vector<Given>::iterator find_given(Worker& worker, std::string_view client);
  void let_go(Worker* worker);
  void forget(Worker& worker);
  bool outlives_connection(Worker& worker);
  /// No effect where there is none.
  void invalidate(Worker* worker);
  void tell(std::string_view id, protocol::majordomo::Dialect dialect,
            protocol::majordomo::Command command);
  bool is_dead(Worker& worker, TimePoint now);
  void drop_expired(Service& service, TimePoint now);

  const Wire wire_;
  const WorkerRules rules_;
  Books books_;
  BrokerOutlet& outlet_;
  ByName<Service> services_;
  ByName<Worker> workers_;
  bool open_ = true;
  std::size_t held_ = 0;
  std::size_t held_bytes_ = 0;  ///< With the parts of answers.
  TimePoint next_sweep_ = TimePoint::min();
  Multipart out_;
  std::vector<Multipart> spare_;  ///< Without frames, for their slots.
};

}  // namespace busbar::detail

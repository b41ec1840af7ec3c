/// The devices. Each has a frontend and a backend side and moves messages between them; stock
/// ZeroMQ programs on either side are first-class users.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <busbar/core/context.hpp>
#include <busbar/core/ledger.hpp>
#include <busbar/core/runner.hpp>
#include <busbar/core/socket_options.hpp>
#include <busbar/devices/stage.hpp>
#include <busbar/protocol/publisher_protocol.hpp>

namespace busbar {

enum class DeviceKind { forwarder, streamer, queue, services };
inline constexpr std::array device_kinds{DeviceKind::forwarder, DeviceKind::streamer,
                                         DeviceKind::queue, DeviceKind::services};
std::string_view name_of(DeviceKind kind) noexcept;
/// Throws Error (usage) where no kind has that name.
DeviceKind device_kind(std::string_view name);
/// Frontend and backend socket types: XSUB/XPUB, PULL/PUSH, ROUTER/DEALER, and one ROUTER for all.
SocketType frontend_type(DeviceKind kind) noexcept;
SocketType backend_type(DeviceKind kind) noexcept;

/// What to do with a message that an output has no room for.
enum class Overflow {
  /// Lose it for that peer, count it, go on with the others. A forwarder's count is a lower bound:
  /// libzmq tells when a subscriber's queue becomes full, and then nothing about it until it has
  /// been half read; a subscriber sees its exact loss by the publisher's sequence.
  drop,
  /// Hold it and read nothing more on that way, so that the senders feel it.
  block,
};
inline constexpr std::array overflow_policies{Overflow::drop, Overflow::block};
std::string_view name_of(Overflow overflow) noexcept;

struct SideOptions {
  std::vector<Endpoint> bind = {};
  std::vector<Endpoint> connect = {};
  Security security = {};
  /// Messages for each peer and direction, 0 without bound. Memory: peers x 2 x queue x size.
  int queue = 1000;
  unsigned ipc_mode = 0;  ///< Permissions of bound ipc paths, e.g. 0660; 0: as the umask has it.
};

/// To whom a queue gives a request.
enum class Strategy {
  round_robin,  ///< In turn, whoever is connected: stock REP workers, each with a queue of its own.
  /// Who has said that it is free and has waited longest, one request at a time: Paranoid Pirate
  /// workers (ZeroMQ RFC 6), and Simple Pirate ones, which are REQ sockets. Not stock REP and not a
  /// Replier: they never say so, and would get nothing.
  ready,
};
inline constexpr std::array strategies{Strategy::round_robin, Strategy::ready};
std::string_view name_of(Strategy strategy) noexcept;

/// For devices that know their workers: services, and queues with the strategy `ready`. What is not
/// given has the default that is named here; what is given to others is refused.
struct WorkerOptions {
  /// How often workers are shown that the device lives: 1 s. They count three or more of their own
  /// intervals (1 s in PPP, 2.5 s in MDP as the guide has them) until they give it up.
  std::optional<std::chrono::milliseconds> heartbeat = {};
  /// A worker that was silent for longer is dead: 10 s. One that has a request, and has never
  /// spoken while it had one, is not asked to, as workers with one thread cannot; it is dead when
  /// its connection is. Above `heartbeat`.
  std::optional<std::chrono::milliseconds> expiry = {};
  /// Services: bounds on requests that wait for a free worker, over all of them: 10,000, 64 MiB and
  /// 1 min. What is above them is dropped, counted as `overflow`, what waited longer as `expired`.
  /// A queue holds none, but lets its clients feel it.
  std::optional<std::size_t> hold_messages = {};
  std::optional<std::size_t> hold_bytes =
      {};  ///< With parts of answers that wait for the last one.
  std::optional<std::chrono::milliseconds> hold_age = {};  ///< Looked at once a heartbeat.
  /// Services: how many requests a worker is given before it has answered the first, 1 to 1000; the
  /// others wait in its socket, and go to a worker that is free as long as there is one. 1, which
  /// is the default, is what 18/MDP describes. With more, short requests go several times as fast,
  /// as messages gather; but what waits behind a long one is not given to another worker, and what
  /// a worker has when it dies is lost with it (RequestLedger::unanswered). More than 1 is at most
  /// half the frontend's `queue`: a worker without room is taken for dead, and half a queue may be
  /// read by then without that being known.
  std::optional<std::uint32_t> prefetch = {};
};

struct DeviceOptions {
  std::string name = {};  ///< Default: the kind.
  SideOptions frontend = {};
  SideOptions backend = {};
  std::vector<Stage> stages = {};
  std::optional<Endpoint> control = {};  ///< Answers `busbar status` and the rest of WIRE.md.
  Security control_security = {};
  std::optional<Endpoint> tap = {};  ///< Publishes a copy of all traffic; see WIRE.md.
  Security tap_security = {};
  /// Default by kind. forwarder: drop, for the slow subscriber alone. streamer: block. queue: block
  /// where no worker has room, drop replies that a client does not read. Not for services, nor for
  /// queues with `ready`.
  std::optional<Overflow> overflow = {};
  /// Streamers only: speak with Pusher and Puller, so that work is acknowledged, and goes to the
  /// least loaded, through this device too. A side then binds, or connects to one endpoint; `queue`
  /// is what the device asks for at most. A message's publisher and number are the device's.
  bool credit = false;
  /// Forwarders only: keep what stock publishers sent, and give it to Subscribers that come late,
  /// or missed some: the last message of each topic, or up to 10,000 messages and 16 MiB for a
  /// minute (of last values as many bytes). It takes every topic from the publishers. Messages of
  /// two frames become one frame with a header in it (WIRE.md); others, and those of Busbar's
  /// publishers, pass as they are.
  LateJoin cache = LateJoin::nothing;
  Strategy strategy = Strategy::round_robin;      ///< Queues only. `ready` binds its backend.
  WorkerOptions workers = {};                     ///< Services, and queues with `ready`.
  std::chrono::milliseconds drain_timeout{5000};  ///< For `drain` without a deadline of its own.
};

namespace detail {
class Relay;
}

/// What they have in common. It moves messages only while something steps `active()`: give it
/// to a Runner. All calls but those on active() are thread-safe and throw nothing; they wait at the
/// most for the burst that is under way (1000 messages; with stages 5 ms, and the message that is
/// in a stage). Commands take effect when it is over, and none after the end. After a move only
/// assignment and the destructor are allowed.
class Device {
 public:
  /// Binds and connects. Throws Error as Socket does, and usage for options that do not fit the
  /// kind: a side without endpoint, a stage that needs topics where there are none, what would have
  /// no effect.
  Device(Context& context, DeviceKind kind, DeviceOptions options);
  ~Device();
  Device(Device&&) noexcept;
  Device& operator=(Device&&) noexcept;

  /// Moves nothing until `resume`; queues fill up and senders feel it.
  void pause();
  void resume();
  /// Hands on what is queued (a queue proxy and services also wait for the replies that are due,
  /// but not for a worker where a service has none: that is abandoned), then stops:
  /// as soon as nothing has come for 30 ms, or as much has passed as could have been queued when
  /// the drain began; at the latest after the deadline. libzmq cannot stop listening without
  /// cutting the connections that exist, so peers may send until the end; ARCHITECTURE.md says what
  /// that may cost.
  void drain(std::chrono::milliseconds deadline);
  /// Stops at once; what is queued inside is counted as abandoned, as far as it can be read in 20
  /// ms.
  void stop();

  /// A copy; the last one where the device has ended.
  Ledger ledger() const;
  /// Where each side is bound, with the ports that the system chose; also after the end.
  std::vector<Endpoint> frontend() const;
  std::vector<Endpoint> backend() const;
  std::optional<Endpoint> control() const;
  std::optional<Endpoint> tap() const;

  /// What a Runner steps. It shares ownership: the sockets live until the device and its runners
  /// are gone, or until it has ended. `step` throws what a stage throws, after it has closed all.
  std::shared_ptr<Active> active();

 private:
  std::shared_ptr<detail::Relay> relay_;
};

/// XSUB/XPUB: fans out what publishers send to those who subscribed, and carries subscriptions up.
class Forwarder : public Device {
 public:
  Forwarder(Context& context, DeviceOptions options)
      : Device(context, DeviceKind::forwarder, std::move(options)) {}
};

/// PULL/PUSH: collects work and deals it out, round-robin to workers with room. At most once: what
/// a dying worker had taken is lost with it.
class Streamer : public Device {
 public:
  Streamer(Context& context, DeviceOptions options)
      : Device(context, DeviceKind::streamer, std::move(options)) {}
};

/// ROUTER/DEALER: carries requests to workers, by its strategy, and replies back to who asked.
class QueueProxy : public Device {
 public:
  QueueProxy(Context& context, DeviceOptions options)
      : Device(context, DeviceKind::queue, std::move(options)) {}
};

/// A Majordomo broker: ZeroMQ RFC 7 (MDP 0.1), RFC 18 (MDP 0.2) and RFC 8 (MMI) on one ROUTER,
/// which is the frontend and binds; there is no backend. Clients and workers of both versions may
/// be mixed; an 0.1 client gets in one answer what an 0.2 worker says in parts. Requests go to the
/// worker that has waited longest, and are held while there is none; paused, all are. In the
/// ledger `frontend` stands for the clients, `backend` for the workers. A worker's death with a
/// request tells no client: MDP has no message for it, and the client's deadline does; the ledger
/// counts it (RequestLedger).
class Services : public Device {
 public:
  Services(Context& context, DeviceOptions options)
      : Device(context, DeviceKind::services, std::move(options)) {}
};

}  // namespace busbar

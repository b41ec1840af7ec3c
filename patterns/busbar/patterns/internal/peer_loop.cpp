#include "busbar/patterns/internal/peer_loop.hpp"

#include <algorithm>
#include <utility>

#include <busbar/core/internal/services.hpp>
#include <busbar/patterns/internal/check_enough.hpp>

namespace busbar::detail {

using namespace protocol::zre;
using std::chrono::milliseconds;

namespace {

// What callers hand over faster than the thread carries it out waits here.
constexpr std::size_t actions_max = 500;
constexpr milliseconds room_comes_within{1000};
constexpr std::size_t offer_name_bytes = 200;
constexpr int settling = 3;  // beacon intervals until those that are there are known

[[noreturn]] void refuse(const std::string& what, const std::string& cause,
                         const std::string& remedy) {
  throw Error(ErrorKind::usage, what, cause, remedy);
}

[[noreturn]] void refuse_more(const std::string& what) {
  refuse(what, "the other peers would turn us away",
         "be in 1000 groups at most, and let groups, headers and offers have 255 KiB together");
}

PeerOptions checked(PeerOptions options, const PeerId& id) {
  if (options.name.empty()) options.name = id.str().substr(0, 6);
  const std::string who = "peer '" + printable(options.name) + "'";
  if (options.name.size() > string_bytes) refuse(who, "the name is too long", "255 bytes at most");
  std::size_t bytes = 0;
  for (const auto& [name, value] : options.headers) {
    bytes += name.size() + value.size() + 16;
    if (name.empty() || name.size() > string_bytes || name.starts_with(reserved_header)) {
      refuse(who, "no header may be called '" + printable(name) + "'",
             "1 to 255 bytes, not X-BUSBAR at the beginning");
    }
  }
  if (bytes > limits::header_bytes) refuse(who, "its headers are too large", "64 KiB at most");
  if (options.beacon_interval.count() <= 0 || options.evasive_after.count() <= 0 ||
      options.expire_after <= options.evasive_after) {
    refuse(who, "its times do not fit",
           "beacon_interval and evasive_after above 0, expire_after above evasive_after");
  }
  if (options.waiting_max == 0) {
    refuse(who, "no event may wait to be received", "give waiting_max 1 or more");
  }
  for (const Endpoint& endpoint : options.connect) {
    const bool addressed =
        endpoint.transport() == Transport::tcp || endpoint.transport() == Transport::ipc;
    if (endpoint.is_wildcard() || !addressed) {
      refuse(who, "nobody is asked at " + endpoint.str(), "give tcp://HOST:PORT or ipc://PATH");
    }
  }
  return options;
}

void check_group(const std::string& group) {
  if (!group.empty() && group.size() <= string_bytes) return;
  refuse("group '" + printable(group) + "'", "no such group can be", "1 to 255 bytes");
}

void check_offer(const std::string& name) {
  const bool fits = !name.empty() && name.size() <= offer_name_bytes;
  if (fits && name.find(' ') == std::string::npos && printable(name, name.size()) == name) return;
  refuse("offer '" + printable(name) + "'", "no such name can be",
         "1 to 200 printable bytes without space");
}

/// The endpoints in an offer that can be connected to from here.
void add_offers(std::vector<Endpoint>& found, const PeerProtocol::Node& node,
                const std::string& name) {
  const auto home = peer_address(node.endpoint);
  const bool near = home && home->is_local();
  for (const auto& [header, value] : node.headers) {
    if (header != std::string{offer_header} + name) continue;
    for (std::size_t begin = 0; begin < value.size();) {
      const std::size_t end = std::min(value.find(' ', begin), value.size());
      const auto endpoint = peer_address(value.substr(begin, end - begin));
      if (endpoint && (near || !endpoint->is_local())) found.push_back(*endpoint);
      begin = end + 1;
    }
  }
}

}  // namespace

PeerLoop::PeerLoop(Context& context, PeerOptions options, const PeerId& id)
    : EngineLoop(context, (options = checked(std::move(options), id)).name),
      id_(id),
      settled_at_(context.clock().now() + settling * options.beacon_interval) {
  start(std::make_unique<PeerEngine>(context, options, id, mutex_));
  service_ = context_.services().add([this](const std::string& name) -> std::optional<std::string> {
    const auto found = find(name, milliseconds{0});
    if (!found.empty()) return found.front().str();
    if (context_.clock().now() < settled_at_) return std::nullopt;
    return std::string{};
  });
}

PeerLoop::~PeerLoop() { context_.services().remove(service_); }

bool PeerLoop::turn(TimePoint now) {
  const bool busy = engine_->turn(now);
  const std::scoped_lock lock(mutex_);
  show_readable();
  if (waiters_ > 0) changed_.notify_all();
  return busy;
}

void PeerLoop::ended() {
  last_ = engine_->ledger();
  last_.peers = 0;
  closed_ = true;
  show_readable();
}

/// With the mutex held, unless it was stopped.
template <class Call>
void PeerLoop::tell(Call call) {
  const std::scoped_lock lock(mutex_);
  if (!may_speak()) return;
  call(engine_->protocol());
  wake_up();
}

void PeerLoop::wait_for_room(std::unique_lock<std::mutex>& lock) {
  wait_for(lock, room_comes_within,
           [this] { return !may_speak() || engine_->protocol().actions() < actions_max; });
}

void PeerLoop::join(const std::string& group) {
  check_group(group);
  tell([&](PeerProtocol& protocol) {
    if (!protocol.join(group)) refuse_more("group '" + printable(group) + "'");
  });
}

void PeerLoop::leave(const std::string& group) {
  tell([&](PeerProtocol& protocol) { protocol.leave(group); });
}

SendResult PeerLoop::whisper(const PeerId& to, std::string_view payload) {
  if (payload.size() > limits::message_bytes) return SendResult::too_large;
  Multipart content{payload};
  std::unique_lock lock(mutex_);
  wait_for_room(lock);
  if (!may_speak()) return SendResult::no_peer;
  const SendResult result = engine_->protocol().whisper(to, content);
  wake_up();
  return result;
}

std::size_t PeerLoop::shout(const std::string& group, std::string_view payload) {
  check_group(group);
  if (payload.size() > limits::message_bytes) {
    refuse("shout to '" + printable(group) + "'", "it is larger than a message may be",
           "send it in smaller messages");
  }
  Multipart content{payload};
  std::unique_lock lock(mutex_);
  wait_for_room(lock);
  if (!may_speak()) return 0;
  const std::size_t reached = engine_->protocol().shout(group, content);
  wake_up();
  return reached;
}

void PeerLoop::flush(milliseconds timeout) {
  std::unique_lock lock(mutex_);
  if (may_speak()) engine_->protocol().prove();
  wake_up();
  const bool over = wait_for(lock, timeout, [this] { return !may_speak() || engine_->all_sent(); });
  if (!may_speak()) throw Error(ErrorKind::usage, "flush '" + name_ + "'", "it was stopped");
  if (over) return;
  throw Error(ErrorKind::timeout, "flush '" + name_ + "'",
              "a peer has not taken all that was said to it",
              "allow more time, or look at who does not read");
}

void PeerLoop::offer(const std::string& name, const Endpoint& endpoint) {
  check_offer(name);
  const bool anywhere = endpoint.transport() == Transport::tcp && endpoint.host() == "*";
  const Endpoint& home = bound().front();
  const Endpoint shown =
      anywhere && !home.host().empty() ? endpoint.with_host(home.host()) : endpoint;
  if (!peer_address(shown.str())) {
    refuse("offer " + endpoint.str(), "nobody else can connect to it",
           "give tcp://ADDRESS:PORT or ipc://PATH");
  }
  const std::scoped_lock lock(mutex_);
  auto& offered = offers_[name];
  if (std::find(offered.begin(), offered.end(), shown) != offered.end()) return;
  offered.push_back(shown);
  if (show_offers()) return;
  offered.pop_back();
  if (offered.empty()) offers_.erase(name);
  refuse_more("offer '" + name + "'");
}

void PeerLoop::withdraw(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  if (offers_.erase(name) > 0) (void)show_offers();
}

/// With the mutex held. False: they are too many.
bool PeerLoop::show_offers() {
  if (!may_speak()) return true;
  Headers headers;
  for (const auto& [name, endpoints] : offers_) {
    std::string all;
    for (const Endpoint& endpoint : endpoints) all += (all.empty() ? "" : " ") + endpoint.str();
    headers.emplace_back(std::string{offer_header} + name, std::move(all));
  }
  const bool shown = engine_->protocol().set_offers(std::move(headers));
  wake_up();
  return shown;
}

std::vector<Endpoint> PeerLoop::find(const std::string& name, milliseconds timeout) {
  std::vector<Endpoint> found;
  std::unique_lock lock(mutex_);
  wait_for(lock, timeout, [&] {
    if (closed_) return true;
    if (const auto own = offers_.find(name); own != offers_.end()) found = own->second;
    for (const auto& [id, node] : engine_->protocol().nodes()) {
      if (node.ready && !node.evasive) add_offers(found, node, name);
    }
    return !found.empty();
  });
  return found;
}

std::optional<PeerEvent> PeerLoop::take(milliseconds timeout) {
  std::unique_lock lock(mutex_);
  wait_for(lock, timeout, [this] { return closed_ || engine_->protocol().events() > 0; });
  if (closed_) return std::nullopt;
  auto event = engine_->protocol().next_event();
  show_readable();
  if (engine_->needs_turn()) wake_up();
  return event;
}

int PeerLoop::fd() {
  const std::scoped_lock lock(mutex_);
  const int descriptor = readable_.open();
  show_readable();
  return descriptor;
}

/// With the mutex held.
void PeerLoop::show_readable() { readable_.show(closed_ || engine_->protocol().events() > 0); }

std::vector<KnownPeer> PeerLoop::peers() const {
  const std::scoped_lock lock(mutex_);
  std::vector<KnownPeer> known;
  if (!engine_) return known;
  for (const auto& [id, node] : engine_->protocol().nodes()) {
    if (!node.ready) continue;
    known.push_back({.id = id,
                     .name = node.name,
                     .endpoint = node.endpoint,
                     .key = node.key,
                     .evasive = node.evasive,
                     .groups = {node.groups.begin(), node.groups.end()},
                     .headers = node.users_headers()});
  }
  std::sort(known.begin(), known.end(),
            [](const KnownPeer& a, const KnownPeer& b) { return a.id < b.id; });
  return known;
}

void PeerLoop::wait_for_peers(std::size_t count, milliseconds timeout) {
  std::unique_lock lock(mutex_);
  const auto there = [this] { return engine_ ? engine_->protocol().ready() : 0; };
  wait_for(lock, timeout, [&] { return closed_ || there() >= count; });
  check_enough("wait for peers of '" + name_ + "'", there(), count, timeout, closed_,
               "start them, or look at their interfaces and keys");
}

PeerLedger PeerLoop::ledger() const {
  const std::scoped_lock lock(mutex_);
  return engine_ ? engine_->ledger() : last_;
}

void PeerLoop::close() {
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  leave_at_ = TimePoint::min();
  show_readable();
  wake_up();
  changed_.notify_all();
}

bool PeerLoop::closed() const {
  const std::scoped_lock lock(mutex_);
  return closed_;
}

}  // namespace busbar::detail

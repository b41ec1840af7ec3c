#include "busbar/patterns/internal/mailboxes.hpp"

#include <mutex>

#include <busbar/core/error.hpp>
#include <busbar/core/internal/random_id.hpp>

namespace busbar::detail {

namespace {

constexpr std::uint16_t first_port = 0xC000;  // RFC 36: to 0xFFFF
constexpr int port_attempts = 100;
constexpr std::chrono::milliseconds linger{1000};
constexpr std::chrono::milliseconds look_up_poll{20};
constexpr std::chrono::milliseconds monitors_pause{500};  // they tell of failures only

/// Who is in this process: by context, since inproc ends there.
class Neighbours {
 public:
  static Neighbours& all() {
    static Neighbours neighbours;
    return neighbours;
  }
  void add(const void* context, const PeerId& id) {
    const std::scoped_lock lock(mutex_);
    known_.emplace(context, id);
  }
  void remove(const void* context, const PeerId& id) {
    const std::scoped_lock lock(mutex_);
    known_.erase({context, id});
  }
  bool has(const void* context, const PeerId& id) {
    const std::scoped_lock lock(mutex_);
    return known_.contains({context, id});
  }

 private:
  std::mutex mutex_;
  std::set<std::pair<const void*, PeerId>> known_;
};

std::string inproc_of(const PeerId& id) { return "inproc://busbar.zre." + id.str(); }

/// What the out socket calls the way; never begins with a zero octet.
std::string alias_of(std::uint64_t mailbox) {
  std::string alias{'\2'};
  for (int shift = 56; shift >= 0; shift -= 8) alias += static_cast<char>(mailbox >> shift);
  return alias;
}

Socket bind_inbox(Context& context, const Mailboxes::Options& options, const Endpoint& at) {
  SocketOptions made{.name = options.name + " inbox",
                     .bind = {at},
                     .security = options.security,
                     .failures_only = true};
  made.security.server_key.clear();
  if (!options.security.keys) made.bind.push_back(inproc_of(options.id));
  return Socket{context, SocketType::router, std::move(made)};
}

Socket bind_inbox(Context& context, const Mailboxes::Options& options) {
  if (options.bind) return bind_inbox(context, options, *options.bind);
  for (int attempt = 1;; ++attempt) {
    const auto port = first_port + random_id() % (0x10000u - first_port);
    try {
      return bind_inbox(context, options, "tcp://" + options.host + ":" + std::to_string(port));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::unreachable || attempt == port_attempts) throw;
    }
  }
}

}  // namespace

Mailboxes::Mailboxes(Context& context, const Options& options)
    : context_(context), options_(options) {
  inbox_.emplace(bind_inbox(context, options_));
  endpoint_ = inbox_->bound().front();
  out_.emplace(context, SocketType::router,
               SocketOptions{.name = options_.name + " out",
                             .linger = linger,
                             .ipv4_only = false,
                             .routing_id = protocol::zre::routing_id(options_.id),
                             .failures_only = true});
  out_->on_event([this](const SocketEvent& event) { hear(event); });
  // Who takes a connection and never answers is given up by its expiry. With a timer for each
  // connection libzmq looks through all of them whenever one is made.
  out_->set(zmq::sockopt::handshake_ivl, 0);
  if (!options_.security.keys) Neighbours::all().add(context_.handle(), options_.id);
}

Mailboxes::~Mailboxes() { Neighbours::all().remove(context_.handle(), options_.id); }

void Mailboxes::hear(const SocketEvent& event) {
  if (event.kind != SocketEvent::Kind::handshake_failed) return;
  for (const auto& [mailbox, way] : ways_) {
    if (way.endpoint == event.endpoint) refused_.push_back(mailbox);
  }
}

bool Mailboxes::receive(std::string& from, Multipart& frames, std::string& key) {
  if (!inbox_->receive(frames)) return false;
  from = frames.pop_front().to_string();
  const char* const user = frames.empty() ? nullptr : zmq_msg_gets(frames[0].handle(), "User-Id");
  key = user == nullptr ? "" : user;
  return true;
}

bool Mailboxes::open(std::uint64_t mailbox, std::optional<PeerId> to, const std::string& address,
                     const std::string& key) {
  const bool near = to && !options_.security.keys && Neighbours::all().has(context_.handle(), *to);
  const std::string endpoint = near ? inproc_of(*to) : address;
  if (!connect(mailbox, endpoint, key)) return false;
  ways_[mailbox] = {endpoint};
  return true;
}

bool Mailboxes::connect(std::uint64_t mailbox, const std::string& endpoint,
                        const std::string& key) {
  zmq::socket_ref socket = out_->raw();
  try {
    if (const auto& keys = options_.security.keys) {
      if (!is_curve_key(key)) return false;
      socket.set(zmq::sockopt::curve_publickey, keys->public_key);
      socket.set(zmq::sockopt::curve_secretkey, keys->secret_key);
      socket.set(zmq::sockopt::curve_serverkey, key);
    }
    socket.set(zmq::sockopt::connect_routing_id, alias_of(mailbox));
    socket.connect(endpoint);
  } catch (const zmq::error_t& error) {
    context_.log(LogLevel::warning, "'" + options_.name + "' cannot connect to " +
                                        printable(endpoint) + ": " + error.what());
    return false;
  }
  return true;
}

void Mailboxes::close(std::uint64_t mailbox) {
  const auto found = ways_.find(mailbox);
  if (found == ways_.end()) return;
  // Fails where libzmq has forgotten it already.
  zmq_disconnect(out_->raw().handle(), found->second.endpoint.c_str());
  ways_.erase(found);
  waiting_.erase(mailbox);
  broken_.erase(mailbox);
}

/// False: it is full, and the frames are as they were.
bool Mailboxes::send_now(std::uint64_t mailbox, Multipart& frames) {
  frames.push_front(alias_of(mailbox));
  const SendResult result = out_->send(frames);
  if (result == SendResult::no_peer) ++broken_[mailbox];
  if (result != SendResult::full) return true;
  frames.pop_front();
  return false;
}

std::size_t Mailboxes::send(std::uint64_t mailbox, Multipart& frames) {
  const auto found = ways_.find(mailbox);
  if (found == ways_.end()) return 0;
  auto& waiting = found->second.waiting;
  if (waiting.empty() && send_now(mailbox, frames)) return 0;
  waiting.push_back(std::move(frames));
  waiting_.insert(mailbox);
  return waiting.size();
}

std::vector<std::uint64_t> Mailboxes::send_waiting() {
  std::vector<std::uint64_t> emptied;
  for (const std::uint64_t mailbox : waiting_) {
    auto& waiting = ways_.at(mailbox).waiting;
    while (!waiting.empty() && send_now(mailbox, waiting.front())) waiting.pop_front();
    if (waiting.empty()) emptied.push_back(mailbox);
  }
  for (const std::uint64_t mailbox : emptied) waiting_.erase(mailbox);
  return emptied;
}

void Mailboxes::look_up(const std::string& endpoint, TimePoint now) {
  resolver_.look_up(Endpoint{endpoint}, now);
}

std::vector<std::pair<std::string, std::string>> Mailboxes::looked_up(TimePoint now) {
  std::vector<std::pair<std::string, std::string>> found;
  for (const Resolver::Result& result : resolver_.take(now)) {
    if (result.address.empty()) continue;
    found.emplace_back(result.endpoint.str(), result.endpoint.with_host(result.address).str());
  }
  return found;
}

TimePoint Mailboxes::maintain(TimePoint now) {
  // Nobody answers on the ways out; reading them is what takes libzmq's news up.
  while (out_->receive(unread_)) {
  }
  if (now >= monitors_at_) {
    inbox_->maintain();
    out_->maintain();
    monitors_at_ = now + monitors_pause;
  }
  return resolver_.busy() ? std::min(monitors_at_, now + look_up_poll) : monitors_at_;
}

void Mailboxes::add_to(SocketPoll& poll, bool hear) {
  if (hear) poll.add(inbox_->raw().handle(), ZMQ_POLLIN);
  poll.add_unasked(out_->raw().handle());
}

void Mailboxes::release() noexcept {
  inbox_->release();
  out_->release();
}

}  // namespace busbar::detail

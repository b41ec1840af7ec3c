#include <limits>
#include <span>

#include <busbar/core/internal/ledger_codec.hpp>

namespace busbar::detail {

namespace {

using Packer = msgpack::packer<msgpack::sbuffer>;

constexpr std::size_t text_max = 1024;

void pack_text(Packer& out, std::string_view text) {
  out.pack_str(static_cast<std::uint32_t>(text.size()));
  out.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

/// msgpack strings are UTF-8, and a stock publisher's topics need not be.
void pack_entry(Packer& out, std::string_view key, std::string_view value) {
  pack_text(out, key);
  pack_text(out, printable(value, text_max));
}

void pack_entry(Packer& out, std::string_view key, std::uint64_t value) {
  pack_text(out, key);
  out.pack(value);
}

void pack_side(Packer& out, std::string_view key, const SideLedger& side) {
  pack_text(out, key);
  out.pack_map(6);
  pack_entry(out, "received", side.received);
  pack_entry(out, "received_bytes", side.received_bytes);
  pack_entry(out, "sent", side.sent);
  pack_entry(out, "sent_bytes", side.sent_bytes);
  pack_entry(out, "held", side.held);
  pack_text(out, "causes");
  out.pack_map(cause_count);
  for (std::size_t i = 0; i < cause_count; ++i) {
    pack_entry(out, name_of(static_cast<Cause>(i)), side.by_cause[i]);
  }
}

void pack_topics(Packer& out, std::string_view key, const std::vector<TopicCount>& topics) {
  pack_text(out, key);
  out.pack_array(static_cast<std::uint32_t>(topics.size()));
  for (const TopicCount& topic : topics) {
    out.pack_map(3);
    pack_entry(out, "topic", topic.topic);
    pack_entry(out, "messages", topic.messages);
    pack_entry(out, "bytes", topic.bytes);
  }
}

void pack_peer(Packer& out, const PeerInfo& peer) {
  out.pack_map(6);
  pack_entry(out, "side", peer.side);
  pack_entry(out, "address", peer.address);
  pack_text(out, "connected");
  out.pack(peer.connected);
  pack_entry(out, "connections", peer.connections);
  pack_entry(out, "refused", peer.refused);
  pack_entry(out, "last_failure", peer.last_failure);
}

void pack_ledger(Packer& out, const Ledger& ledger) {
  out.pack_map(11);
  pack_entry(out, "name", ledger.name);
  pack_entry(out, "kind", ledger.kind);
  pack_entry(out, "state", ledger.state);
  pack_side(out, "frontend", ledger.frontend);
  pack_side(out, "backend", ledger.backend);
  pack_text(out, "subscriptions");
  out.pack_map(3);
  pack_entry(out, "received", ledger.subscriptions.received);
  pack_entry(out, "forwarded", ledger.subscriptions.forwarded);
  pack_entry(out, "refused", ledger.subscriptions.refused);
  pack_topics(out, "topics", ledger.topics);
  pack_text(out, "peers");
  out.pack_array(static_cast<std::uint32_t>(ledger.peers.size()));
  for (const PeerInfo& peer : ledger.peers) pack_peer(out, peer);
  pack_topics(out, "dropped_topics", ledger.dropped_topics);
  pack_text(out, "slow_peers");
  out.pack_array(static_cast<std::uint32_t>(ledger.slow_peers.size()));
  for (const std::string& address : ledger.slow_peers) pack_text(out, printable(address, text_max));
  pack_text(out, "requests");
  out.pack_map(3);
  pack_entry(out, "answered", ledger.requests.answered);
  pack_entry(out, "with_workers", ledger.requests.with_workers);
  pack_entry(out, "unanswered", ledger.requests.unanswered);
}

[[noreturn]] void refuse(const std::string& where, const std::string& cause) {
  throw Error(ErrorKind::refused, "read ledger", where + " " + cause);
}

/// A map with string keys, and where it stands in the message, for errors.
class Fields {
 public:
  Fields(const msgpack::object& value, std::string where) : where_(std::move(where)) {
    if (value.type != msgpack::type::MAP) refuse(where_, "is no map");
    map_ = value.via.map;
    for (const msgpack::object_kv& entry : *this) {
      if (entry.key.type != msgpack::type::STR) refuse(where_, "has a key that is no string");
    }
  }

  std::string path(std::string_view key) const { return where_ + "." + std::string(key); }

  /// nullptr: not there.
  const msgpack::object* find(std::string_view key) const {
    const msgpack::object* found = nullptr;
    for (const msgpack::object_kv& entry : *this) {
      if (std::string_view{entry.key.via.str.ptr, entry.key.via.str.size} != key) continue;
      if (found != nullptr) refuse(path(key), "is there twice");
      found = &entry.val;
    }
    return found;
  }
  const msgpack::object& at(std::string_view key) const {
    const msgpack::object* found = find(key);
    if (found == nullptr) refuse(path(key), "is missing");
    return *found;
  }

  std::uint64_t count(std::string_view key) const { return count_in(at(key), key); }
  std::uint64_t count_or_zero(std::string_view key) const {
    const msgpack::object* found = find(key);
    return found == nullptr ? 0 : count_in(*found, key);
  }
  std::string text(std::string_view key) const { return text_in(at(key), key); }
  bool flag(std::string_view key) const {
    const msgpack::object& value = at(key);
    if (value.type != msgpack::type::BOOLEAN) refuse(path(key), "is no boolean");
    return value.via.boolean;
  }
  Fields map(std::string_view key) const { return {at(key), path(key)}; }

  template <class Item>
  std::vector<Item> list(std::string_view key, Item (*read)(const Fields&)) const {
    std::vector<Item> items;
    for (const msgpack::object& item : array(key)) {
      items.push_back(read(Fields{item, path(key) + "[" + std::to_string(items.size()) + "]"}));
    }
    return items;
  }
  std::vector<std::string> texts(std::string_view key) const {
    std::vector<std::string> items;
    for (const msgpack::object& item : array(key)) items.push_back(text_in(item, key));
    return items;
  }

  const msgpack::object_kv* begin() const { return map_.ptr; }
  const msgpack::object_kv* end() const { return map_.ptr + map_.size; }

 private:
  std::uint64_t count_in(const msgpack::object& value, std::string_view key) const {
    if (value.type != msgpack::type::POSITIVE_INTEGER) refuse(path(key), "is no count");
    return value.via.u64;
  }
  std::string text_in(const msgpack::object& value, std::string_view key) const {
    if (value.type != msgpack::type::STR) refuse(path(key), "is no string");
    return printable({value.via.str.ptr, value.via.str.size}, text_max);
  }
  std::span<const msgpack::object> array(std::string_view key) const {
    const msgpack::object& value = at(key);
    if (value.type != msgpack::type::ARRAY) refuse(path(key), "is no array");
    return {value.via.array.ptr, value.via.array.size};
  }

  std::string where_;
  msgpack::object_map map_{};
};

SideLedger read_side(const Fields& fields) {
  SideLedger side;
  side.received = fields.count("received");
  side.received_bytes = fields.count("received_bytes");
  side.sent = fields.count("sent");
  side.sent_bytes = fields.count("sent_bytes");
  side.held = fields.count("held");
  const Fields causes = fields.map("causes");
  for (std::size_t i = 0; i < cause_count; ++i) {
    side.by_cause[i] = causes.count_or_zero(name_of(static_cast<Cause>(i)));
  }
  return side;
}

TopicCount read_topic(const Fields& fields) {
  return {fields.text("topic"), fields.count("messages"), fields.count("bytes")};
}

PeerInfo read_peer(const Fields& fields) {
  return {fields.text("side"),         fields.text("address"),  fields.flag("connected"),
          fields.count("connections"), fields.count("refused"), fields.text("last_failure")};
}

Ledger read_ledger(const Fields& fields) {
  Ledger ledger;
  ledger.name = fields.text("name");
  ledger.kind = fields.text("kind");
  ledger.state = fields.text("state");
  ledger.frontend = read_side(fields.map("frontend"));
  ledger.backend = read_side(fields.map("backend"));
  const Fields subscriptions = fields.map("subscriptions");
  ledger.subscriptions = {subscriptions.count("received"), subscriptions.count("forwarded"),
                          subscriptions.count("refused")};
  ledger.topics = fields.list("topics", read_topic);
  ledger.peers = fields.list("peers", read_peer);
  ledger.dropped_topics = fields.list("dropped_topics", read_topic);
  ledger.slow_peers = fields.texts("slow_peers");
  const Fields requests = fields.map("requests");
  ledger.requests = {requests.count("answered"), requests.count("with_workers"),
                     requests.count("unanswered")};
  return ledger;
}

}  // namespace

std::string pack_ledgers(const std::vector<Ledger>& ledgers) {
  msgpack::sbuffer buffer;
  Packer out(buffer);
  out.pack_array(static_cast<std::uint32_t>(ledgers.size()));
  for (const Ledger& ledger : ledgers) pack_ledger(out, ledger);
  return {buffer.data(), buffer.size()};
}

std::vector<Ledger> unpack_ledgers(std::string_view bytes) {
  const msgpack::object_handle handle = parse(bytes);
  const msgpack::object& value = handle.get();
  if (value.type != msgpack::type::ARRAY) refuse("the body", "is no array");
  std::vector<Ledger> ledgers;
  for (std::uint32_t i = 0; i < value.via.array.size; ++i) {
    ledgers.push_back(read_ledger(Fields{value.via.array.ptr[i], "[" + std::to_string(i) + "]"}));
  }
  return ledgers;
}

}  // namespace busbar::detail

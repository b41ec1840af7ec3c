#include "program/show.hpp"

#include <array>
#include <cstdio>

#include <busbar/core/error.hpp>

namespace busbar::program {
namespace {

constexpr std::array causes{Cause::topic_filter,     Cause::sampled_out, Cause::rate_limited,
                            Cause::not_translatable, Cause::too_large,   Cause::too_many_frames,
                            Cause::malformed,        Cause::abandoned,   Cause::overflow,
                            Cause::no_peer,          Cause::expired};
static_assert(causes.size() == cause_count);

nlohmann::json side_json(const SideLedger& side) {
  nlohmann::json found = nlohmann::json::object();
  for (const Cause cause : causes)
    if (side[cause] > 0) found[std::string{name_of(cause)}] = side[cause];
  return {{"received", side.received},
          {"received_bytes", side.received_bytes},
          {"sent", side.sent},
          {"sent_bytes", side.sent_bytes},
          {"held", side.held},
          {"filtered", side.total(CauseClass::filtered)},
          {"refused", side.total(CauseClass::refused)},
          {"dropped", side.total(CauseClass::dropped)},
          {"causes", found}};
}

void print_side(std::ostream& out, const char* name, const SideLedger& side) {
  out << "  " << name << "received " << side.received << " (" << human_bytes(side.received_bytes)
      << "), sent " << side.sent << " (" << human_bytes(side.sent_bytes) << "), held " << side.held
      << ", filtered " << side.total(CauseClass::filtered) << ", refused "
      << side.total(CauseClass::refused) << ", dropped " << side.total(CauseClass::dropped);
  const char* separator = " [";
  for (const Cause cause : causes) {
    if (side[cause] == 0) continue;
    out << separator << name_of(cause) << ' ' << side[cause];
    separator = ", ";
  }
  out << (*separator == ',' ? "]\n" : "\n");
}

nlohmann::json topics_json(const std::vector<TopicCount>& topics) {
  nlohmann::json all = nlohmann::json::array();
  for (const TopicCount& topic : topics)
    all.push_back({{"topic", topic.topic}, {"messages", topic.messages}, {"bytes", topic.bytes}});
  return all;
}

void print_topics(std::ostream& out, const char* name, const std::vector<TopicCount>& topics) {
  for (const TopicCount& topic : topics)
    out << "  " << name << printable(topic.topic) << ' ' << topic.messages << " ("
        << human_bytes(topic.bytes) << ")\n";
}

void print_peer(std::ostream& out, const PeerInfo& peer) {
  out << "  peer      " << peer.side << ' ' << printable(peer.address)
      << (peer.connected ? " connected" : " not connected") << ", "
      << counted(peer.connections, "connection");
  if (peer.refused > 0) out << ", " << peer.refused << " refused";
  if (!peer.last_failure.empty()) out << ", last failure: " << printable(peer.last_failure);
  out << '\n';
}

}  // namespace

std::string counted(std::uint64_t n, const std::string& thing) {
  return std::to_string(n) + ' ' + thing + (n == 1 ? "" : "s");
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; amount >= 1024 && unit + 1 < units.size(); ++unit) amount /= 1024;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", amount, units[unit]);
  return text.data();
}

nlohmann::json to_json(const std::vector<Endpoint>& endpoints) {
  nlohmann::json texts = nlohmann::json::array();
  for (const Endpoint& endpoint : endpoints) texts.push_back(endpoint.str());
  return texts;
}

nlohmann::json to_json(const Ledger& ledger) {
  nlohmann::json peers = nlohmann::json::array();
  for (const PeerInfo& peer : ledger.peers)
    peers.push_back({{"side", peer.side},
                     {"address", peer.address},
                     {"connected", peer.connected},
                     {"connections", peer.connections},
                     {"refused", peer.refused},
                     {"last_failure", peer.last_failure}});
  return {{"name", ledger.name},
          {"kind", ledger.kind},
          {"state", ledger.state},
          {"reconciles", ledger.reconciles()},
          {"frontend", side_json(ledger.frontend)},
          {"backend", side_json(ledger.backend)},
          {"subscriptions",
           {{"received", ledger.subscriptions.received},
            {"forwarded", ledger.subscriptions.forwarded},
            {"refused", ledger.subscriptions.refused}}},
          {"requests",
           {{"answered", ledger.requests.answered},
            {"with_workers", ledger.requests.with_workers},
            {"unanswered", ledger.requests.unanswered}}},
          {"topics", topics_json(ledger.topics)},
          {"peers", peers},
          {"dropped_topics", topics_json(ledger.dropped_topics)},
          {"slow_peers", ledger.slow_peers}};
}

std::string headline(const Ledger& ledger) {
  return printable(ledger.name) + ' ' + printable(ledger.kind) + ' ' + printable(ledger.state) +
         (ledger.reconciles() ? "" : " (does not reconcile)");
}

void print(std::ostream& out, const Ledger& ledger) {
  out << headline(ledger) << '\n';
  print_side(out, "frontend  ", ledger.frontend);
  print_side(out, "backend   ", ledger.backend);
  const SubscriptionLedger& asked = ledger.subscriptions;
  if (asked.received + asked.forwarded + asked.refused > 0)
    out << "  subscriptions received " << asked.received << ", forwarded " << asked.forwarded
        << ", refused " << asked.refused << '\n';
  const RequestLedger& requests = ledger.requests;
  if (requests.answered + requests.with_workers + requests.unanswered > 0)
    out << "  requests  answered " << requests.answered << ", with workers "
        << requests.with_workers << ", unanswered " << requests.unanswered << '\n';
  print_topics(out, "topic     ", ledger.topics);
  print_topics(out, "dropped   ", ledger.dropped_topics);
  for (const PeerInfo& peer : ledger.peers) print_peer(out, peer);
  for (const std::string& address : ledger.slow_peers)
    out << "  slow      " << printable(address) << '\n';
}

std::string line(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

}  // namespace busbar::program

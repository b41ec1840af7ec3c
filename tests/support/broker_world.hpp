/// A Broker without sockets: what it sends is kept as lines of text, and the last message as it is.
#pragma once

#include <deque>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <busbar/devices/internal/broker.hpp>

using Lines = std::vector<std::string>;

// Commands of Majordomo.
inline constexpr std::string_view b1{"\1"};
inline constexpr std::string_view b2{"\2"};
inline constexpr std::string_view b3{"\3"};
inline constexpr std::string_view b4{"\4"};
inline constexpr std::string_view b5{"\5"};
inline constexpr std::string_view b6{"\6"};

/// The frames with `|` between them; bytes below a space as \N.
inline std::string shown(const busbar::Multipart& frames) {
  std::string line;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (i > 0) line += '|';
    for (const char byte : frames.text(i)) {
      line += byte < ' ' ? "\\" + std::to_string(int{byte}) : std::string(1, byte);
    }
  }
  return line;
}

struct BrokerWorld final : private busbar::detail::BrokerOutlet {
  using Broker = busbar::detail::Broker;
  using Wire = Broker::Wire;

  explicit BrokerWorld(busbar::detail::WorkerRules rules = {}, Wire wire = Wire::majordomo)
      : broker(wire, rules, {clients, workers, services, requests}, *this) {
    broker.on_time(now);
  }

  /// Majordomo frames; answers what the broker sent.
  std::vector<std::string> hear(std::initializer_list<std::string_view> frames) {
    busbar::Multipart message{frames};
    broker.on_message(message, now);
    return take();
  }
  std::vector<std::string> request(std::initializer_list<std::string_view> frames) {
    busbar::Multipart message{frames};
    ++clients.received;
    broker.on_pirate_request(message, now);
    return take();
  }
  std::vector<std::string> pirate(std::initializer_list<std::string_view> frames) {
    busbar::Multipart message{frames};
    broker.on_pirate(message, now);
    return take();
  }
  std::vector<std::string> pass(std::chrono::milliseconds time) {
    now += time;
    broker.on_time(now);
    return take();
  }
  std::vector<std::string> take() { return std::exchange(sent, {}); }
  bool reconciles() const {
    busbar::Ledger ledger;
    ledger.frontend = clients;
    ledger.backend = workers;
    ledger.requests = requests;
    return ledger.reconciles();
  }

  busbar::SideLedger clients;
  busbar::SideLedger workers;
  busbar::detail::TopicTable services;
  busbar::RequestLedger requests;
  busbar::TimePoint now{};
  std::set<std::string> gone;  ///< Peers without a connection.
  std::set<std::string> full;  ///< Peers that do not read.
  std::vector<std::string> sent;
  std::vector<std::string> last;  ///< Frames.
  Broker broker;

 private:
  Result to_client(busbar::Multipart& message) override { return send(message); }
  Result to_worker(busbar::Multipart& message) override { return send(message); }
  Result send(busbar::Multipart& message) {
    const std::string to{message.text(0)};
    if (gone.contains(to)) return Result::gone;
    if (full.contains(to)) return Result::full;
    sent.push_back(shown(message));
    last.clear();
    for (std::size_t i = 0; i < message.size(); ++i) last.emplace_back(message.text(i));
    message.mark_sent();
    return Result::sent;
  }
};

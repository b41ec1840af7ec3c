// Greets who comes to the market, and tells prices until it is stopped: peers_shop BEACON_PORT
#include <chrono>
#include <cstdint>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>

#include <busbar/busbar.hpp>

using namespace std::chrono_literals;
using Kind = busbar::PeerEvent::Kind;

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::cerr << "usage: peers_shop BEACON_PORT\n";
    return 2;
  }
  const std::map<std::string, int, std::less<>> prices{{"bread", 350}, {"salt", 99}};
  busbar::Context context;
  busbar::Replier counter{context, {.bind = {"tcp://127.0.0.1:*"}}};
  counter.on("price", [&](std::string_view goods) {
    const auto found = prices.find(goods);
    if (found == prices.end()) throw std::runtime_error("not in this shop");
    return std::to_string(found->second) + " cents";
  });
  const auto port = static_cast<std::uint16_t>(std::stoi(argv[1]));
  busbar::Peer me{context, {.name = "shop", .beacon_port = port}};
  me.offer("prices", counter.bound().front());  // others find it as peer://prices
  me.join("market");
  std::jthread serving{[&] { counter.serve(); }};
  for (const busbar::PeerEvent& event : me.events()) {
    if (event.kind != Kind::shout) continue;
    if (me.whisper(event.peer, "come in, " + event.name) != busbar::SendResult::sent) {
      std::cerr << event.name << " does not listen\n";
    }
  }
  counter.stop(1s);
  return 0;
} catch (const busbar::Error& error) {
  std::cerr << error.what() << '\n';
  return static_cast<int>(error.kind());
}

// Goes to the market, waits for a shop, and asks for a price: peers_visitor BEACON_PORT GOODS
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>

#include <busbar/busbar.hpp>

using namespace std::chrono_literals;
using Kind = busbar::PeerEvent::Kind;

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: peers_visitor BEACON_PORT GOODS\n";
    return 2;
  }
  const auto port = static_cast<std::uint16_t>(std::stoi(argv[1]));
  busbar::Context context;
  busbar::Peer me{context, {.name = "visitor", .beacon_port = port}};
  while (const auto event = me.receive(10s)) {
    if (event->kind == Kind::join) me.shout(event->group, "is anybody open?");
    if (event->kind != Kind::whisper) continue;
    std::cout << event->name << ": " << event->payload() << '\n';
    break;
  }
  busbar::Requester prices{context, {.connect = {"peer://prices"}}};  // wherever that is
  std::cout << prices.request("price", argv[2], {.deadline = 5s}).get<std::string>() << '\n';
  return 0;
} catch (const busbar::Error& error) {
  std::cerr << error.what() << '\n';
  return static_cast<int>(error.kind());
}

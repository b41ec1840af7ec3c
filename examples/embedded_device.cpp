// A forwarder inside a service: it lets `prices.>` through, renames it to `fx.>`, and counts.
// Prints the quote that arrived and what became of each message.
#include <chrono>
#include <iostream>

#include <busbar/busbar.hpp>

using namespace std::chrono_literals;
using busbar::SocketType;

int main() {
  busbar::Context context;
  busbar::Forwarder hub{context,
                        {.frontend = {.bind = {"tcp://127.0.0.1:*"}},
                         .backend = {.bind = {"tcp://127.0.0.1:*"}},
                         .stages = {busbar::only("prices.>"), busbar::rename("prices", "fx")}}};
  busbar::Runner running{hub};  // its own thread

  busbar::Socket quotes{context, SocketType::sub, {.connect = hub.backend()}};
  quotes.subscribe("fx.eur");
  busbar::Socket prices{context, SocketType::xpub, {.connect = hub.frontend()}};
  if (!prices.receive(5s)) return 4;  // the subscription has made its way through the forwarder

  busbar::Multipart price{"prices.eur", "1.0834"};
  if (prices.send(price, 5s) != busbar::SendResult::sent) return 4;
  const auto quote = quotes.receive(5s);
  if (!quote) return 4;
  std::cout << quote->text(0) << ' ' << quote->text(1) << '\n';

  const busbar::Ledger ledger = hub.ledger();  // any thread
  std::cout << "received " << ledger.frontend.received << ", sent " << ledger.backend.sent << '\n'
            << running.stop(2s).str() << '\n';  // never hangs; says what was left behind
  return ledger.reconciles() ? 0 : 1;
}

// Shows quotes until COUNT have come, and what was lost: prices_subscriber ENDPOINT COUNT
#include "quote.hpp"

#include <iostream>
#include <string>

#include <busbar/busbar.hpp>

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: prices_subscriber ENDPOINT COUNT\n";
    return 2;
  }
  busbar::Context context;
  busbar::Subscriber quotes{context, {.connect = {argv[1]}}};
  quotes.on_gap([](const busbar::Gap& gap) {
    std::cerr << gap.missing() << " lost: " << busbar::name_of(gap.cause) << '\n';
  });
  quotes.subscribe("prices.*");
  int left = std::stoi(argv[2]);
  for (const busbar::Message& message : quotes.messages()) {
    const Quote quote = message.as<Quote>();
    std::cout << message.sequence() << ' ' << message.topic() << ' ' << quote.bid << '\n';
    if (--left == 0) break;
  }
  return quotes.ledger().reconciles() ? 0 : 1;
} catch (const busbar::Error& error) {
  std::cerr << error.what() << '\n';
  return static_cast<int>(error.kind());
}

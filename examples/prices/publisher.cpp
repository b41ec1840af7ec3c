// Publishes quotes once somebody wants them: prices_publisher ENDPOINT COUNT
#include "quote.hpp"

#include <chrono>
#include <iostream>
#include <string>

#include <busbar/busbar.hpp>

using namespace std::chrono_literals;

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: prices_publisher ENDPOINT COUNT\n";
    return 2;
  }
  busbar::Context context;
  busbar::Publisher prices{context,
                           {.name = "desk", .bind = {argv[1]}, .batching = busbar::Batching{}}};
  prices.wait_for_subscribers("prices.eur", 1, 10s);  // so that the first one is not lost
  for (int i = 1; i <= std::stoi(argv[2]); ++i) {
    prices.publish("prices.eur", Quote{1.08 + 0.01 * i, 1.09 + 0.01 * i});
    prices.publish("weather.bonn", "rain");  // nobody here wants that
  }
  const busbar::StopReport report = prices.stop(5s);
  return report.clean ? 0 : 4;
} catch (const busbar::Error& error) {
  std::cerr << error.what() << '\n';
  return static_cast<int>(error.kind());
}

// Asks for balances, of the first desk that answers: bank_ask NUMBER ENDPOINT...
#include "account.hpp"

#include <chrono>
#include <iostream>

#include <busbar/busbar.hpp>

using namespace std::chrono_literals;

int main(int argc, char** argv) try {
  if (argc < 3) {
    std::cerr << "usage: bank_ask NUMBER ENDPOINT...\n";
    return 2;
  }
  busbar::Context context;
  busbar::Requester ask{context, {.connect = {argv + 2, argv + argc}}};
  const Account account{std::stoi(argv[1])};
  const auto balance =
      ask.request("balance", account, {.deadline = 5s, .idempotent = true}).get<Balance>();
  std::cout << balance.cents << " cents\n";
  return 0;
} catch (const busbar::Error& error) {
  std::cerr << error.what() << '\n';
  return static_cast<int>(error.kind());
}

// Asks for balances, of the first desk that answers: bank_ask NUMBER ENDPOINT...
#include "account.hpp"

#include <charconv>
#include <chrono>
#include <iostream>
#include <string_view>
#include <system_error>

#include <busbar/busbar.hpp>

using namespace std::chrono_literals;

int main(int argc, char** argv) try {
  const std::string_view number = argc < 3 ? "" : argv[1];
  const char* const end = number.data() + number.size();
  Account account;
  const auto [read, failure] = std::from_chars(number.data(), end, account.number);
  if (failure != std::errc{} || read != end) {
    std::cerr << "usage: bank_ask NUMBER ENDPOINT...\n";
    return 2;
  }
  busbar::Context context;
  busbar::Requester ask{context, {.connect = {argv + 2, argv + argc}}};
  const auto balance =
      ask.request("balance", account, {.deadline = 5s, .idempotent = true}).get<Balance>();
  std::cout << balance.cents << " cents\n";
  return 0;
} catch (const busbar::Error& error) {
  std::cerr << error.what() << '\n';
  return static_cast<int>(error.kind());
}

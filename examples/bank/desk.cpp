// Tells balances until it is stopped: bank_desk ENDPOINT
#include "account.hpp"

#include <iostream>
#include <map>
#include <stdexcept>

#include <busbar/busbar.hpp>

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::cerr << "usage: bank_desk ENDPOINT\n";
    return 2;
  }
  const std::map<int, Balance> accounts{{7, {1250}}, {8, {99}}};
  busbar::Context context;
  busbar::Replier desk{context, {.bind = {argv[1]}, .threads = 2}};
  desk.on("balance", [&](const Account& account) {
    const auto found = accounts.find(account.number);
    if (found == accounts.end()) throw std::runtime_error("no such account");  // arrives there
    return found->second;
  });
  desk.serve();
  return 0;
} catch (const busbar::Error& error) {
  std::cerr << error.what() << '\n';
  return static_cast<int>(error.kind());
}

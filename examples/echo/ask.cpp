// Calls the service "echo" by its name: echo_ask BROKER TEXT
#include <chrono>
#include <iostream>

#include <busbar/busbar.hpp>

using namespace std::chrono_literals;

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: echo_ask BROKER TEXT\n";
    return 2;
  }
  busbar::Context context;
  busbar::ServiceClient client{context, argv[1]};
  std::cout << client.call("echo", argv[2], 10s, {.idempotent = true}).payload() << '\n';
  return 0;
} catch (const busbar::Error& error) {
  std::cerr << error.what() << '\n';
  return static_cast<int>(error.kind());
}

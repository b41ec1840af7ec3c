// Serves the name "echo" at a broker until it is stopped: echo_worker BROKER
#include <iostream>
#include <string>

#include <busbar/busbar.hpp>

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::cerr << "usage: echo_worker BROKER\n";
    return 2;
  }
  busbar::Context context;
  busbar::ServiceWorker echo{context,
                             {.service = "echo", .connect = {argv[1]}, .threads = 2},
                             [](const std::string& text) { return text; }};
  echo.serve();
  return 0;
} catch (const busbar::Error& error) {
  std::cerr << error.what() << '\n';
  return static_cast<int>(error.kind());
}

// collector COUNTS N FILE: adds up the counts of N files and writes `word<TAB>count` lines to FILE.
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <map>
#include <string>

#include <busbar/busbar.hpp>

using namespace std::chrono_literals;
using Counts = std::map<std::string, std::uint64_t>;

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: collector COUNTS N FILE (an endpoint, a number, a file to write)\n";
    return 2;
  }
  busbar::Context context;
  busbar::Socket counts{context, busbar::SocketType::pull, {.connect = {argv[1]}}};

  Counts total;
  for (auto left = std::stoul(argv[2]); left > 0; --left) {
    const auto message = counts.receive(1min);
    if (!message) {
      std::cerr << "collector: " << left << " files are missing\n";
      return 4;
    }
    for (const auto& [word, n] : busbar::unpack<Counts>(message->text(1))) total[word] += n;
  }
  std::ofstream out{argv[3]};
  for (const auto& [word, n] : total) out << word << '\t' << n << '\n';
  return out.flush() ? 0 : 1;
}

// replica LOOKUP FILE NAME: answers how often a word occurs. Start as many as you like behind the
// queue proxy; each answer says who gave it.
#include <chrono>
#include <fstream>
#include <iostream>
#include <map>
#include <string>

#include <busbar/busbar.hpp>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
  std::ifstream in;
  if (argc == 4) in.open(argv[2]);
  if (!in.is_open()) {
    std::cerr << "usage: replica LOOKUP FILE NAME (an endpoint, a file to read, any name)\n";
    return 2;
  }
  std::map<std::string, std::string, std::less<>> counts;
  for (std::string word, count; in >> word >> count;) counts[word] = count;

  busbar::Context context;
  busbar::Socket desk{context, busbar::SocketType::rep, {.connect = {argv[1]}}};
  while (auto question = desk.receive(1h)) {
    const std::string word{question->text(0)};
    const auto found = counts.find(word);
    busbar::Multipart answer{word + '\t' + (found == counts.end() ? "0" : found->second) + '\t' +
                             argv[3]};
    if (desk.send(answer, 1min) != busbar::SendResult::sent) return 4;
  }
}

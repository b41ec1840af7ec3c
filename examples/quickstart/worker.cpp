// worker FILES COUNTS PROGRESS: takes file names, counts the words in each file, passes the counts
// on, and publishes that one more file is done. Start as many as there are cores.
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <string>

#include <busbar/busbar.hpp>

using namespace std::chrono_literals;
using busbar::SendResult, busbar::SocketType;

static std::map<std::string, std::uint64_t> count_words(const std::string& file) {
  std::map<std::string, std::uint64_t> counts;
  std::ifstream in{file, std::ios::binary};
  std::string word;
  for (std::istreambuf_iterator<char> c{in}, end; c != end; ++c) {
    if ((*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z')) {
      word += *c;
    } else if (!word.empty()) {
      ++counts[word];
      word.clear();
    }
  }
  if (!word.empty()) ++counts[word];
  return counts;
}

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: worker FILES COUNTS PROGRESS (three endpoints)\n";
    return 2;
  }
  busbar::Context context;
  busbar::Socket progress{
      context, SocketType::xpub, {.connect = {argv[3]}, .refuse_when_full = true}};
  // An XPUB hears of its first subscriber: now no step is missed.
  if (!progress.receive(1min)) return 4;
  busbar::Socket files{context, SocketType::pull, {.connect = {argv[1]}}};
  busbar::Socket counts{context, SocketType::push, {.connect = {argv[2]}}};

  while (auto file = files.receive(1h)) {
    const std::string name{file->text(0)};
    busbar::Multipart result{name, busbar::pack(count_words(name))};
    busbar::Multipart done{"progress", name};
    if (counts.send(result, 1min) != SendResult::sent) return 4;
    if (progress.send(done, 1min) != SendResult::sent) return 4;
  }
}

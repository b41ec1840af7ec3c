// pattern_publisher bind|connect ENDPOINT TOPIC [batch]: publishes a numbered message every now and
// then, and what it is told on its input, a line each:
//   load N     N messages each 5 ms from now on
//   publish T  one message with the payload T
//   wait N     returns `waited` when N subscribers take the topic
//   head       prints `head ID NEXT`: the number that comes next
//   quit       or the end of the input
#include "pattern_program.hpp"

#include <string>

#include <busbar/patterns/publisher.hpp>

using namespace busbar;
using namespace std::chrono_literals;

namespace {

struct Program {
  Program(const std::string& way, const char* endpoint, std::string name, bool batch)
      : topic(std::move(name)), publisher(context, options(way, endpoint, batch)) {
    for (const Endpoint& bound : publisher.bound()) say("bound " + bound.str());
    say("id " + std::to_string(publisher.id()));
    loop.every(5ms, [this] {
      for (int i = 0; i < load; ++i) publish(std::to_string(next));
    });
  }

  static PublisherOptions options(const std::string& way, const char* endpoint, bool batch) {
    PublisherOptions made{.history = {.messages = 1'000'000, .age = 10min}};
    (way == "bind" ? made.bind : made.connect) = {endpoint};
    if (batch) made.batching.emplace();
    return made;
  }
  void publish(const std::string& payload) {
    if (publisher.publish(topic, payload) == SendResult::sent) ++next;
  }
  void obey(const std::string& line) {
    const std::string word = line.substr(0, line.find(' '));
    const std::string rest = line.substr(std::min(word.size() + 1, line.size()));
    if (word == "load") load = std::stoi(rest);
    if (word == "publish") publish(rest);
    if (word == "head") say("head " + std::to_string(publisher.id()) + ' ' + std::to_string(next));
    if (word == "wait") {
      publisher.wait_for_subscribers(topic, std::stoul(rest), 60s);
      say("waited");
    }
    if (word == "quit") loop.stop();
  }

  std::string topic;
  Context context;
  Publisher publisher;
  EventLoop loop{context};
  std::uint64_t next = 1;
  int load = 0;
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) return 2;
  Program program{arguments[1], arguments[2], arguments[3], count > 4};
  run_by_input(program.loop, [&](const std::string& line) { program.obey(line); });
  return 0;
}

#include "program/subscriptions.hpp"

namespace busbar::program {

void Subscriptions::read(Socket& xpub) {
  while (xpub.receive(incoming_)) {
    const std::string_view asked = incoming_.empty() ? std::string_view{} : incoming_.text(0);
    if (asked.empty() || (asked[0] != '\x00' && asked[0] != '\x01')) continue;
    const std::string prefix{asked.substr(1)};
    if (asked[0] == '\x01')
      prefixes_.insert(prefix);
    else
      prefixes_.erase(prefix);
    last_topic_.clear();
  }
}

bool Subscriptions::wants(std::string_view topic) {
  if (!last_topic_.empty() && topic == last_topic_) return last_answer_;
  last_topic_ = topic;
  last_answer_ = false;
  for (std::size_t length = 0; length <= topic.size() && !last_answer_; ++length)
    last_answer_ = prefixes_.contains(topic.substr(0, length));
  return last_answer_;
}

}  // namespace busbar::program

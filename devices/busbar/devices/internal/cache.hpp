/// What a forwarder keeps for publishers that keep nothing themselves: stock ZeroMQ programs.
#pragma once

#include <string>

#include <busbar/core/multipart.hpp>
#include <busbar/protocol/publisher_protocol.hpp>

namespace busbar::detail {

/// Numbers messages of two frames, topic and payload, as a publisher of its own would, keeps them,
/// and answers subscribers that come late or missed some. Everything else passes as it is.
class Cache {
 public:
  Cache(std::string name, LateJoin late_join);

  /// Makes one frame with a header of the two of a stock publisher's message.
  void number(Multipart& message, TimePoint now);
  /// What a subscriber asks for, as XPUB receives it; answers to others than us pass as well.
  void hear(std::string_view subscription, TimePoint now) {
    protocol_.on_subscription(subscription, now);
  }
  void tick(TimePoint now) { protocol_.tick(now); }
  bool next_answer(Multipart& into) { return protocol_.next_answer(into); }

 private:
  protocol::PublisherProtocol protocol_;
};

}  // namespace busbar::detail

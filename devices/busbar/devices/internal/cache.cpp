#include "busbar/devices/internal/cache.hpp"

#include <busbar/core/error.hpp>
#include <busbar/core/internal/random_id.hpp>
#include <busbar/protocol/message_frame.hpp>

namespace busbar::detail {

Cache::Cache(std::string name, LateJoin late_join)
    : protocol_({.id = random_id(), .name = std::move(name), .late_join = late_join}) {}

void Cache::number(Multipart& message, TimePoint now) {
  if (message.size() != 2 || protocol::is_reserved(message.text(0))) return;
  try {
    protocol::Stream& stream = protocol_.stream_of(message.text(0));
    const auto calendar = std::chrono::system_clock::now().time_since_epoch();
    const auto time = std::chrono::duration_cast<std::chrono::microseconds>(calendar).count();
    const protocol::Header header =
        protocol_.header_for(stream, static_cast<std::uint64_t>(time), 0);
    Frame numbered = protocol::encode_message(stream.topic, header, message.text(1));
    protocol_.keep(stream, header, numbered, message.text(1), {}, now);
    message.pop_back();
    message[0] = std::move(numbered);
  } catch (const Error&) {  // its first frame is no topic
  }
}

}  // namespace busbar::detail

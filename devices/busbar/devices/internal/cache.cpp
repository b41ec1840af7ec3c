#include "busbar/devices/internal/cache.hpp"

#include <busbar/core/error.hpp>
#include <busbar/core/internal/random_id.hpp>

namespace busbar::detail {

Cache::Cache(std::string name, LateJoin late_join)
    : protocol_({.id = random_id(), .name = std::move(name), .late_join = late_join}) {}

void Cache::number(Multipart& message, TimePoint now) {
  if (message.size() != 2 || protocol::is_reserved(message.text(0))) return;
  if (message.text(1).starts_with(protocol::header_signature)) return;
  try {
    protocol::Stream& stream = protocol_.stream_of(message.text(0));
    const auto calendar = std::chrono::system_clock::now().time_since_epoch();
    const auto time = std::chrono::duration_cast<std::chrono::microseconds>(calendar).count();
    const protocol::Header header =
        protocol_.header_for(stream, static_cast<std::uint64_t>(time), 0);
    char bytes[protocol::short_header_max];
    message.push_back(std::string_view{bytes, protocol::encode_short(header, bytes)});
    message[1].swap(message[2]);
    protocol_.keep(stream, header, message, message.text(2), {}, now);
  } catch (const Error&) {  // its first frame is no topic
  }
}

}  // namespace busbar::detail

#include "busbar/devices/internal/stage_batch.hpp"

#include <busbar/core/error.hpp>
#include <busbar/protocol/header.hpp>

namespace busbar::detail {

bool is_batch(std::string_view header) noexcept {
  const auto read = protocol::decode_header(header);
  return read && read->batch > 0;
}

std::optional<Cause> apply_to_batch(StageStep& step, Multipart& message) {
  const std::size_t payload = message.size() - 1;
  protocol::BatchReader reader{message.text(payload)};
  std::string translated;
  Headers headers;
  Multipart one;
  while (!reader.at_end()) {
    const auto record = reader.next(headers);
    if (!record) return Cause::malformed;
    one.clear();
    one.push_back(*record);
    if (const auto cause = step.apply(one, 0)) return cause;
    protocol::append_record(translated, one.text(0), headers);
  }
  message.replace(payload, translated);
  return {};
}

protocol::Presence with_prefix(const protocol::Presence& presence, std::string_view prefix) {
  const TopicPattern& pattern = presence.pattern;
  protocol::Presence told{presence.inbox, presence.number, TopicPattern::raw_prefix(prefix)};
  // A shorter prefix came out where the topics are no whole words of the pattern any more.
  if (pattern.is_raw()) return told;
  try {
    const std::string rest = pattern.str().substr(pattern.prefix().size());
    told.pattern = TopicPattern{std::string{prefix} + rest};
  } catch (const Error&) {
  }
  return told;
}

}  // namespace busbar::detail

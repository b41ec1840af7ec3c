#include "busbar/devices/internal/stage_published.hpp"

#include <busbar/core/error.hpp>
#include <busbar/core/limits.hpp>

namespace busbar::detail {

namespace {

std::optional<Cause> translate_records(StageStep& step, Multipart& message) {
  protocol::BatchReader reader{message.text(1)};
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
  message.replace(1, translated);
  return {};
}

}  // namespace

std::optional<Cause> apply_to_published(const std::vector<std::unique_ptr<StageStep>>& steps,
                                        const protocol::MessageFrame& message, Frame& frame) {
  Multipart opened{message.topic, message.payload};
  for (const auto& step : steps) {
    const bool one_by_one = message.header.batch > 0 && step->translates();
    const auto cause = one_by_one ? translate_records(*step, opened) : step->apply(opened, 0);
    if (cause) return cause;
  }
  if (opened.size() != 2 || opened[0].size() > limits::topic_bytes) return Cause::not_translatable;
  frame = protocol::with_header_of(message, opened.text(0), opened.text(1));
  return {};
}

protocol::Presence with_prefix(const protocol::Presence& presence, std::string_view prefix) {
  const TopicPattern& pattern = presence.pattern;
  protocol::Presence told = presence;
  told.pattern = TopicPattern::raw_prefix(prefix);
  // A shorter prefix came out where the topics are no whole words of the pattern any more.
  if (pattern.is_raw()) return told;
  try {
    const std::string rest = pattern.str().substr(pattern.prefix().size());
    told.pattern = TopicPattern{std::string{prefix} + rest};
  } catch (const Error&) {
  }
  return told;
}

void rename_streams(const StagePipeline& stages, Multipart& control) {
  auto decoded = protocol::decode_control(control.text(1));
  if (!decoded) return;
  const auto rename = [&](auto& known) {
    std::erase_if(known.positions, [&](protocol::Position& position) {
      auto topic = stages.downstream(position.topic);
      if (topic) position.topic = std::move(*topic);
      return !topic;
    });
    control.replace(1, encode(known));
  };
  if (auto* const welcome = std::get_if<protocol::Welcome>(&*decoded)) rename(*welcome);
  if (auto* const heads = std::get_if<protocol::Heads>(&*decoded)) rename(*heads);
}

}  // namespace busbar::detail

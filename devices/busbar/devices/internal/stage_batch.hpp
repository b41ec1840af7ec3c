/// Stages and the messages of Busbar's own publishers: batches, and subscribers' requests.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <busbar/devices/stage.hpp>
#include <busbar/protocol/pubsub_control.hpp>

namespace busbar::detail {

bool is_batch(std::string_view header) noexcept;
/// Applies a step that translates to each message of a batch, whose payload is the last frame.
/// Where one of them cannot be translated, the batch does not go on: its numbers would not fit any
/// more.
std::optional<Cause> apply_to_batch(StageStep& step, Multipart& message);

/// The presence as it is to be told to publishers that know its topics by another prefix.
protocol::Presence with_prefix(const protocol::Presence& presence, std::string_view prefix);

}  // namespace busbar::detail

/// Stages and the messages of Busbar's own publishers: batches, and subscribers' requests.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <busbar/devices/stage.hpp>
#include <busbar/protocol/message_frame.hpp>
#include <busbar/protocol/pubsub_control.hpp>

namespace busbar::detail {

/// Applies steps to what a Busbar publisher sent, taken apart to topic and payload, which are then
/// what `frame` has. A batch's messages are translated one by one; where one of them cannot be, the
/// batch does not go on, as its numbers would not fit any more.
std::optional<Cause> apply_to_published(const std::vector<std::unique_ptr<StageStep>>& steps,
                                        const protocol::MessageFrame& message, Frame& frame);

/// The presence as it is to be told to publishers that know its topics by another prefix.
protocol::Presence with_prefix(const protocol::Presence& presence, std::string_view prefix);

/// A control frame as subscribers are to see it: with the topics that they know, of the streams
/// that come to them.
void rename_streams(const StagePipeline& stages, Multipart& control);

}  // namespace busbar::detail

#include "busbar/protocol/freelance.hpp"

#include <busbar/protocol/request_codec.hpp>

namespace busbar::protocol::freelance {

namespace {
constexpr std::size_t behind_control = 2;
}

bool is_ping(const Multipart& frames) noexcept {
  return frames.size() == 2 && frames.text(1) == "PING";
}

bool is_pong(const Multipart& frames) noexcept {
  return frames.size() == 2 && frames.text(1) == "PONG";
}

Multipart ping(std::string_view server) { return Multipart{server, "PING"}; }

void make_pong(Multipart& frames) { frames.replace(1, "PONG"); }

bool is_busbar(const Multipart& frames) noexcept {
  if (frames.size() < behind_control || !frames.text(1).starts_with(request_signature))
    return false;
  if (frames.size() > behind_control)
    return frames.size() > behind_control + 1 && frames.text(behind_control).empty();
  // A batch has no empty frame on our own wire either; a cancellation has lost it on this one.
  const auto head = decode_correlation(frames.text(1));
  return head && std::holds_alternative<BatchHead>(*head);
}

void to_busbar(Multipart& frames) {
  if (frames.size() < behind_control) return;
  frames.push_back(Frame{});
  for (std::size_t i = frames.size() - 1; i > behind_control; --i) frames[i].swap(frames[i - 1]);
}

void from_busbar(Multipart& frames) {
  if (frames.size() <= behind_control) return;
  for (std::size_t i = behind_control; i + 1 < frames.size(); ++i) frames[i].swap(frames[i + 1]);
  frames.pop_back();
}

}  // namespace busbar::protocol::freelance

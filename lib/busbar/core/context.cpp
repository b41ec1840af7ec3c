#include "busbar/core/context.hpp"

#include <busbar/core/internal/context_state.hpp>

namespace busbar {

std::string StopReport::str() const {
  std::string text = clean ? "stopped" : "not stopped cleanly";
  text += " in " + std::to_string(took.count()) + " ms";
  if (abandoned > 0)
    text += "; " + std::to_string(abandoned) + (abandoned == 1 ? " message" : " messages") +
            " abandoned";
  for (std::size_t i = 0; i < remains.size(); ++i)
    text += (i == 0 ? "; open: " : ", ") + remains[i];
  return text;
}

Context::Context(ContextOptions options)
    : state_(std::make_shared<detail::ContextState>(std::move(options))) {}

StopReport Context::stop(std::chrono::milliseconds deadline) { return state_->stop(deadline); }

void Context::log(LogLevel level, std::string_view text) const {
  if (state_->options().log) state_->options().log(level, text);
}

const Clock& Context::clock() const noexcept { return *state_->options().clock; }
detail::Services& Context::services() const noexcept { return state_->services(); }
void* Context::handle() const noexcept { return state_->handle(); }

}  // namespace busbar

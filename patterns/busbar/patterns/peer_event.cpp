#include "busbar/patterns/peer_event.hpp"

#include <array>

namespace busbar {

std::string_view name_of(PeerEvent::Kind kind) noexcept {
  constexpr std::array<std::string_view, 7> names{"enter", "evasive", "exit", "join",
                                                  "leave", "whisper", "shout"};
  return names[static_cast<std::size_t>(kind)];
}

}  // namespace busbar

#include "busbar/patterns/gap.hpp"

namespace busbar {

std::string_view name_of(GapCause cause) noexcept {
  switch (cause) {
    case GapCause::not_kept:
      return "not_kept";
    case GapCause::unanswered:
      return "unanswered";
    case GapCause::no_room:
      return "no_room";
    case GapCause::publisher_restarted:
      return "publisher_restarted";
    case GapCause::name_shared:
      return "name_shared";
  }
  return {};
}

}  // namespace busbar

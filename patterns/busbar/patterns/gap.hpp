/// What a subscriber could not get, and why.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace busbar {

enum class GapCause {
  not_kept,             ///< The publisher keeps nothing, or not so far back, or not that much.
  unanswered,           ///< Asked for again and again, and it did not come.
  no_room,              ///< More came behind the gap than may wait for it to be filled.
  publisher_restarted,  ///< The publisher came back as a new one: what it sent last is unknown.
  name_shared,  ///< No loss, told once: it lives beside another one of its name, and no restart of
                ///< either is seen from now on. What was told as their restart was none.
};
/// `not_kept`, `unanswered`, ….
std::string_view name_of(GapCause cause) noexcept;

/// Messages of one stream that will not be delivered. It is reported between the message before
/// and the message behind it.
struct Gap {
  std::uint64_t publisher = 0;
  std::string publisher_name;  ///< As its options say; may be empty.
  std::string topic;           ///< Empty where no message of the stream was seen.
  std::uint64_t first = 0;     ///< Sequence numbers; 0 where no numbers are told.
  std::uint64_t last = 0;
  GapCause cause = GapCause::unanswered;

  std::uint64_t missing() const noexcept { return first == 0 ? 0 : last - first + 1; }
};

}  // namespace busbar

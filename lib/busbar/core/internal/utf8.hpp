/// UTF-8 (RFC 3629), one code point at a time, and what of it may be shown or stand in a topic.
#pragma once

#include <cstddef>
#include <string_view>

namespace busbar::detail {

struct CodePoint {
  char32_t value = 0;
  std::size_t length = 0;  ///< In bytes; 0 where no well-formed code point begins.
};

/// The code point at the beginning of `text`. No overlong forms, no surrogates.
CodePoint first_code_point(std::string_view text) noexcept;
/// C0, C1 and DEL, the line separators, and what turns the direction of writing: all that could
/// make a terminal or a log show something else than what is there.
bool is_control(char32_t c) noexcept;
bool is_space(char32_t c) noexcept;

}  // namespace busbar::detail

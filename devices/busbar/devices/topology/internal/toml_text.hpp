/// A TOML file as mere text: what can be said of it without the parser.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace busbar::detail {

/// The key that the text is at in `line`, as far as a text that does not parse has keys.
std::string key_near(std::string_view text, unsigned line);

/// The line of a key with more parts than any topology has, 0 where there is none. The parser
/// nests a table for each part, and walks over them by recursion.
unsigned line_of_deep_key(std::string_view text);

std::string_view first_lines(std::string_view text, std::size_t count);

}  // namespace busbar::detail
